"""What the page says of the past: in words too, in the reader's language (docs/health.md, 15)."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from healthcheck.models import HealthHour, HealthState, HealthTransition
from healthcheck.pages.history_bars import changes, history

pytestmark = pytest.mark.django_db
EVENING_UTC = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)  # the next day in Korea


@pytest.fixture
def past(settings):
    settings.HEALTH_PROBES = [{"name": "api", "label": "API", "probe": "tests.healthcheck.samples.fine"}]
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    HealthState.objects.create(component="api", status="unhealthy", since=now, seen_at=now)
    for days, counts in ((1, {"healthy": 60}), (2, {"unhealthy": 60}), (3, {"paused": 60})):
        HealthHour.objects.create(component="api", hour=now - timedelta(days=days), **counts)
    HealthTransition.objects.create(component="api", at=EVENING_UTC, before="healthy", after="unhealthy")


def shown(name, context):
    text = re.sub(r"<[^>]*>", " ", render_to_string(f"status/{name}.html", context))
    return " ".join(text.split())


@pytest.mark.usefixtures("past")
@pytest.mark.parametrize(("language", "word"), [("en", "Unhealthy"), ("ko", "이상")])
def test_a_state_is_shown_as_a_word_too(language, word):
    contexts = {"history": history(), "changes": changes()}  # made once, for readers of every language

    with translation.override(language):
        assert word in shown("history", contexts["history"])
        assert f"API: {word}" in shown("changes", contexts["changes"])


@pytest.mark.usefixtures("past")
def test_a_change_late_in_the_utc_day_has_the_date_of_each_zone():
    assert "11-23 08:30:00 KST · 11-22 23:30:00 UTC" in shown("changes", changes())


@pytest.mark.usefixtures("past")
def test_every_day_is_drawn_and_only_days_with_trouble_have_an_element_of_their_own():
    html = render_to_string("status/history.html", history())

    assert sum(path.count("M") for path in re.findall(r' d="([^"]*)"', html)) == 88
    assert re.findall(r'<rect class="(\w+)"', html) == ["paused", "unhealthy"]
    assert "1 healthy, 1 unhealthy, 1 paused on purpose, 87 without a record" in html
