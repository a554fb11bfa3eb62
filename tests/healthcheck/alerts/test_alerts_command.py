"""`manage.py alerts`: one real message now, and what became of the last ones."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from healthcheck.models import Alert, HealthTransition
from tests.healthcheck.conftest import sign_in
from tests.healthcheck.hooks import Hook


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.close()


def test_a_test_reaches_both_addresses(hook, settings, capsys):
    settings.ALERT_WEBHOOK_URL = settings.DEAD_MAN_URL = hook.url
    settings.ALERT_WEBHOOK_FORMAT = "slack"

    call_command("alerts", "test")

    assert capsys.readouterr().out.splitlines() == ["ALERT_WEBHOOK_URL: delivered", "DEAD_MAN_URL: delivered"]
    assert "Nothing has changed" in hook.messages[0]["text"]


def test_a_refused_test_message_is_an_error(hook, settings, capsys):
    settings.ALERT_WEBHOOK_URL, settings.DEAD_MAN_URL = hook.url, ""
    hook.answers = [404]

    with pytest.raises(CommandError, match="not delivered"):
        call_command("alerts", "test")

    printed = capsys.readouterr()
    assert printed.err == "ALERT_WEBHOOK_URL: HTTP 404\n"
    assert printed.out == "DEAD_MAN_URL is not set: no monitor notices when the site goes silent.\n"


def test_no_configured_address_is_an_error(settings):
    settings.ALERT_WEBHOOK_URL = settings.DEAD_MAN_URL = ""

    with pytest.raises(CommandError, match="nothing is set"):
        call_command("alerts", "test")


def test_a_wrong_limit_is_refused():
    with pytest.raises(CommandError, match="above 0, is '-1'"):
        call_command("alerts", "list", "--limit=-1")


@pytest.mark.django_db
def test_the_list_shows_the_state_of_each_alert(capsys, client):
    call_command("alerts", "list")
    assert capsys.readouterr().out == "There was no alert yet.\n"
    change = HealthTransition.objects.create(
        component="upbit_api", at=timezone.now(), before="healthy", after="unhealthy", message="no answer"
    )
    Alert.objects.create(transition=change, state=Alert.State.FAILED, attempts=10, error="HTTP 500")

    call_command("alerts", "list")
    assert "upbit_api  healthy  → unhealthy  failed: HTTP 500" in capsys.readouterr().out
    call_command("alerts", "list", "--json")
    [row] = json.loads(capsys.readouterr().out)
    assert (row["component"], row["state"], row["attempts"], row["error"]) == (
        "upbit_api", "failed", 10, "HTTP 500",
    )  # fmt: skip
    assert (row["at"], row["sent_at"]) == (f"{change.at:%Y-%m-%dT%H:%M:%S.%fZ}", None)

    sign_in(client, is_staff=True, is_superuser=True)
    page = client.get("/admin/healthcheck/alert/").text
    assert "HTTP 500" in page
    assert "Add alert" not in page
