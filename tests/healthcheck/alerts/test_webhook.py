"""Calls to other sites are limited in time, follow no redirect, and errors do not contain the address."""

import socket
import time

import pytest

from healthcheck.alerts.sender import AlertSender
from healthcheck.alerts.webhook import NotDelivered, Webhook
from tests.healthcheck.conftest import ENOUGH_S, Clock
from tests.healthcheck.hooks import Hook


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.close()


def refused(webhook):
    with pytest.raises(NotDelivered) as caught:
        webhook.post({"text": "hello"})
    return str(caught.value)


def test_a_call_that_hangs_or_drips_ends_at_its_limit(hook):
    for trouble in ("hold", "drip"):
        hook.hold() if trouble == "hold" else hook.release()
        hook.drip = trouble == "drip"
        begun_s = time.monotonic()
        assert refused(Webhook(hook.url, within_s=0.3)) in {"no answer within 0.3 s", "no answer in time"}
        assert time.monotonic() - begun_s < 9  # of the 10 s that the dripping takes


def test_while_a_call_is_stuck_no_other_starts(hook):
    webhook = Webhook(hook.url, within_s=0.3)
    hook.drip = True
    refused(webhook)
    refused(webhook)

    assert len(hook.messages) == 1


@pytest.mark.parametrize(("status", "said"), [(302, "HTTP 302"), (404, "HTTP 404"), (500, "HTTP 500")])
def test_only_a_2xx_is_a_delivery_and_no_redirect_is_followed(hook, status, said):
    hook.answers, hook.headers = [status], {"Location": "/elsewhere"}

    assert refused(Webhook(hook.url)) == said
    assert hook.paths == ["/a-secret-path"]


def test_no_error_contains_the_address():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}/a-secret-path", "http://nobody.invalid/a-secret-path", "http://[/"):
        said = refused(Webhook(url))
        assert not [part for part in ("secret", "127", "invalid") if part in said]


def test_a_proxy_of_the_environment_is_not_used(hook, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")

    Webhook(hook.url).post({"text": "hello"})

    assert hook.messages == [{"text": "hello"}]


@pytest.fixture
def watched(settings, hook):
    """A sender that only asks the watcher's address, and its clock."""
    settings.ALERT_WEBHOOK_URL, settings.DEAD_MAN_URL = "", hook.url
    clock = Clock()
    return AlertSender(clock=clock), clock


def test_the_heartbeat_is_sent_once_a_minute_while_all_is_well(watched, hook):
    sender, clock = watched
    for _ in range(37):  # three minutes
        sender.notify(leading=True, healthy=True, written=False)
        sender.work()
        clock.advance(5)

    assert len(hook.paths) == 4


@pytest.mark.parametrize("look", [{"leading": True, "healthy": False}, {"leading": False, "healthy": True}])
def test_no_heartbeat_is_sent_without_the_lead_or_while_a_component_is_down(watched, hook, look):
    sender, clock = watched
    for _ in range(5):
        sender.notify(**look, written=False)
        sender.work()
        clock.advance(60)

    assert hook.paths == []


def test_no_heartbeat_is_sent_once_the_recorder_is_stuck(watched, hook):
    """A recorder that is stuck must not be covered up."""
    sender, clock = watched
    sender.notify(leading=True, healthy=True, written=False)
    for _ in range(10):
        sender.work()
        clock.advance(60)

    assert len(hook.paths) <= 2


def test_the_thread_ends_though_a_call_is_stuck(watched, hook):
    sender, _clock = watched
    hook.hold()
    sender.start()
    sender.notify(leading=True, healthy=True, written=False)
    assert hook.arrived.wait(ENOUGH_S)
    begun_s = time.monotonic()

    sender.stop()

    assert time.monotonic() - begun_s < ENOUGH_S / 2  # the call is stuck for twice as long
