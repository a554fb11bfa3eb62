"""Alerts: each change is sent once, in the configured form, with retries, by one sender (docs/alerts.md)."""

import re
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from healthcheck.alerts import outbox
from healthcheck.alerts.sender import AlertSender
from healthcheck.engine.engine import forget_engine
from healthcheck.history.recorder import Recorder
from healthcheck.models import Alert, HealthTransition
from healthcheck.report import Finding
from tests.healthcheck import samples
from tests.healthcheck.conftest import ENOUGH_S, Clock
from tests.healthcheck.hooks import Hook

WELL, BAD = Finding("healthy", "fine"), Finding("unhealthy", "no answer within %(limit)d s", limit=2)


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.close()


@pytest.fixture
def site(settings, monkeypatch, transactional_db, hook):
    """Two components that the test sets, a recorder, and its sender, whose thread is the test."""
    settings.ALERT_WEBHOOK_URL, settings.ALERT_WEBHOOK_FORMAT = hook.url, "json"
    settings.ALERT_MIN_INTERVAL_S, settings.ALERT_SITE = 300, "The site"

    class Site:
        leading = True
        found = {"database": WELL, "api": WELL}

        def __init__(self):
            self.clock = Clock()
            self.sender = AlertSender(clock=self.clock)
            self.recorder = Recorder(lambda: self.leading, self.sender)

        def look(self, times=1, **found):
            self.found = {**self.found, **found}
            for _ in range(times):
                forget_engine()
                self.recorder.tick()

        def fall(self):
            """Let the api become unhealthy, after it was well."""
            self.look(2, api=WELL)
            self.look(3, api=BAD)

        def later(self, seconds):
            """Let time pass for what the database times."""
            self.clock.advance(seconds)
            span = timedelta(seconds=seconds)
            Alert.objects.update(
                sent_at=F("sent_at") - span, next_attempt_at=F("next_attempt_at") - span,
                claimed_until=F("claimed_until") - span,
            )  # fmt: skip

    made = Site()
    for name in made.found:
        monkeypatch.setattr(samples, f"is_{name}", lambda name=name: made.found[name], raising=False)
    settings.HEALTH_PROBES = [
        {"name": "database", "probe": "tests.healthcheck.samples.is_database"},
        {"name": "api", "label": "The API", "probe": "tests.healthcheck.samples.is_api"},
    ]
    return made


def working(sender):
    sender.work()
    connection.close()


def state():
    return Alert.objects.values_list("state", "attempts", "error").order_by("-transition__at")[0]


def test_a_change_is_sent_once(site, hook):
    site.fall()
    site.sender.work()
    site.look(4)
    site.clock.advance(3600)
    site.sender.work()

    [message] = hook.messages
    assert (message["component"], message["before"], message["after"]) == ("api", "healthy", "unhealthy")
    assert message["message"] == "no answer within 2 s"
    assert message["at"].endswith("Z")
    first, second, last = message["text"].splitlines()
    assert first.endswith("The site: The API is unhealthy, was healthy")
    assert second == "no answer within 2 s"
    assert " KST (" in last
    assert state() == ("sent", 1, "")


def test_an_alert_has_the_time_of_the_site(site, hook, settings):
    settings.HEALTH_TIME_ZONE = "America/Bogota"
    site.fall()
    site.sender.work()

    [message] = hook.messages
    assert re.search(r" UTC-05 \(\S+ UTC\), release", message["text"])


@pytest.mark.parametrize(("form", "key"), [("slack", "text"), ("discord", "content")])
def test_other_forms_carry_the_text_and_nothing_that_is_obeyed(site, hook, settings, form, key):
    settings.ALERT_WEBHOOK_FORMAT = form
    site.look(2)
    site.look(3, api=Finding("unhealthy", "<!channel> & %(who)s", who="@everyone"))
    site.sender.work()

    [message] = hook.messages
    assert "The API is unhealthy" in message[key]
    assert message.get("allowed_mentions") == ({"parse": []} if form == "discord" else None)
    assert ("<!channel>" in message[key]) == (form == "discord")


def test_a_recovery_gives_the_length_of_the_outage(site, hook):
    site.fall()
    HealthTransition.objects.update(at=F("at") - timedelta(hours=27))
    site.sender.work()
    site.later(301)
    site.look(2, api=WELL)
    site.sender.work()

    assert hook.messages[1]["text"].splitlines()[0].endswith("The API is healthy, was unhealthy for 1 d 3 h")
    assert hook.messages[1]["before_lasted_s"] == pytest.approx(27 * 3600, abs=60)


def test_a_refused_alert_is_retried_with_growing_pauses(site, hook):
    site.fall()
    hook.answers = [500, 503]
    site.sender.work()
    assert state() == ("pending", 1, "HTTP 500")

    site.later(0.5)
    site.sender.work()
    assert len(hook.messages) == 1  # a second has not passed
    site.later(1)
    site.sender.work()
    assert state() == ("pending", 2, "HTTP 503")
    site.later(4.5)
    site.sender.work()
    assert state() == ("sent", 3, "")


def test_an_alert_is_given_up_after_ten_attempts(site, hook):
    site.fall()
    hook.answers = [500] * 20
    for _ in range(12):
        site.sender.work()
        site.later(601)

    assert len(hook.messages) == 10
    assert state() == ("failed", 10, "HTTP 500")


def test_retry_after_is_obeyed(site, hook):
    site.fall()
    hook.answers, hook.headers = [429], {"Retry-After": "90"}
    site.sender.work()
    site.later(80)
    site.sender.work()
    assert len(hook.messages) == 1

    site.later(11)
    site.sender.work()
    assert len(hook.messages) == 2


def test_a_new_change_obeys_retry_after_too(site, hook):
    site.fall()
    hook.answers, hook.headers = [429], {"Retry-After": "90"}
    site.sender.work()
    site.look(2, api=WELL)
    site.later(80)
    site.sender.work()
    assert len(hook.messages) == 1

    site.later(11)
    site.sender.work()
    assert [message["after"] for message in hook.messages] == ["unhealthy", "healthy"]
    assert len(hook.messages[1]["earlier"]) == 1


def test_changes_in_quick_succession_are_summed_up(site, hook):
    site.fall()
    site.sender.work()
    site.look(2, api=WELL)
    site.look(3, api=BAD)
    site.sender.work()
    assert len(hook.messages) == 1

    site.later(301)
    site.sender.work()

    assert len(hook.messages) == 2
    assert hook.messages[1]["after"] == "unhealthy"
    assert [change["after"] for change in hook.messages[1]["earlier"]] == ["healthy"]
    assert "before it: healthy at " in hook.messages[1]["text"]
    assert sorted(Alert.objects.values_list("state", flat=True)) == ["held", "sent", "sent"]


def test_an_alert_is_sent_once_during_a_handover(site, hook):
    site.fall()
    following = AlertSender(clock=site.clock)
    following.notify(leading=True, healthy=True, written=False)
    hook.hold()
    thread = threading.Thread(target=working, args=(site.sender,))
    thread.start()
    assert hook.arrived.wait(ENOUGH_S)

    following.work()
    hook.release()
    thread.join(ENOUGH_S)
    following.work()

    assert len(hook.messages) == 1
    assert state() == ("sent", 1, "")


def test_an_alert_of_a_killed_sender_is_sent_again(site, hook):
    """At least once: whether the message arrived is unknown."""
    site.fall()
    lost = outbox.claim()
    assert lost is not None
    following = AlertSender(clock=site.clock)
    following.notify(leading=True, healthy=True, written=False)
    following.work()
    assert hook.messages == []

    site.later(31)
    following.work()

    assert len(hook.messages) == 1
    assert state() == ("sent", 2, "")


def test_a_sender_whose_claim_has_expired_changes_nothing(site):
    site.fall()
    slow = outbox.claim()
    site.later(31)
    assert outbox.claim() is not None

    slow.failed("HTTP 500", 0)

    assert state() == ("pending", 2, "")
    assert outbox.claim() is None


def test_a_database_outage_is_sent_once_while_it_lasts(site, hook):
    site.look(2)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE health_sample RENAME TO away")
    site.leading = False
    try:
        site.look(3, database=BAD)
        site.sender.work()
        assert [message["component"] for message in hook.messages] == ["database"]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO health_sample")

    site.leading = True
    site.look(3, database=WELL)
    site.later(301)
    site.sender.work()

    assert [message["after"] for message in hook.messages] == ["unhealthy", "healthy"]
    assert set(Alert.objects.values_list("state", flat=True)) == {"sent"}


def test_a_pause_sends_no_alert(site, hook):
    site.fall()
    site.sender.work()
    site.later(301)
    site.look(3, api=Finding.pause("maintenance"))
    site.sender.work()

    assert HealthTransition.objects.count() == 2
    assert len(hook.messages) == 1


def test_without_an_address_nothing_is_queued(site, settings):
    settings.ALERT_WEBHOOK_URL = ""
    site.sender = AlertSender()
    site.recorder = Recorder(lambda: True, site.sender)
    site.fall()

    assert HealthTransition.objects.count() == 1
    assert not Alert.objects.exists()


def test_a_sender_that_does_not_lead_sends_nothing(site, hook):
    site.fall()
    standby = AlertSender(clock=site.clock)
    standby.notify(leading=False, healthy=True, written=True)
    standby.work()

    assert hook.messages == []


def test_an_empty_outbox_is_queried_once_a_minute(site, django_assert_num_queries):
    site.look(2)
    site.sender.work()
    with django_assert_num_queries(0):
        for _ in range(11):
            site.clock.advance(5)
            site.sender.notify(leading=True, healthy=True, written=False)
            site.sender.work()
    site.clock.advance(6)
    with django_assert_num_queries(2):
        site.sender.work()


def test_an_alert_of_a_rehearsal_is_marked(site, hook):
    site.fall()
    HealthTransition.objects.update(rehearsal=True)
    site.sender.work()

    assert "REHEARSAL: The site" in hook.messages[0]["text"]
    assert hook.messages[0]["rehearsal"] is True


def test_the_retention_of_changes_takes_their_alerts_along(site):
    site.fall()
    HealthTransition.objects.filter(at__lt=Now()).delete()

    assert not Alert.objects.exists()
