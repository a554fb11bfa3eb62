"""Times are shown in the viewer's zone and in UTC; zones of concurrent viewers do not mix."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.utils import timezone

from healthcheck.history.queries import histories
from healthcheck.models import HealthHour
from healthcheck.zones import in_viewers_zone, viewer_zone
from tests.healthcheck.conftest import BACKEND, sign_in

EVENING = datetime(2026, 11, 22, 23, 30, 5, tzinfo=UTC)


def shown(cookie="", form="", at=EVENING):
    """Return what a page of a viewer with this cookie says."""

    def page(_request):
        return Template("{% load moments %}{% moment at " + form + " %}").render(Context({"at": at}))

    request = RequestFactory().get("/status/")
    request.COOKIES = {"timezone": cookie} if cookie else {}
    return in_viewers_zone(page)(request)


@pytest.mark.parametrize(
    ("cookie", "text"),
    [
        ("", '11-23 08:30:05 KST <span class="utc">· 11-22 23:30:05 UTC</span>'),
        ("Asia/Seoul", '11-23 08:30:05 KST <span class="utc">· 11-22 23:30:05 UTC</span>'),
        ("Europe/Berlin", '11-23 00:30:05 CET <span class="utc">· 11-22 23:30:05 UTC</span>'),
        ("America/New_York", '11-22 18:30:05 EST <span class="utc">· 23:30:05 UTC</span>'),
        ("Asia/Singapore", '11-23 07:30:05 UTC+08 <span class="utc">· 11-22 23:30:05 UTC</span>'),
        ("UTC", "11-22 23:30:05 UTC"),
    ],
)
def test_a_time_is_shown_in_the_viewers_zone_and_in_utc(cookie, text):
    assert shown(cookie) == f'<time datetime="2026-11-22T23:30:05Z">{text}</time>'


@pytest.mark.parametrize(
    "cookie", ["Mars/Olympus", "../../etc/passwd", "x" * 5000, "Asia/Seoul\x00", "<script>", "tzdata.zi"]
)
def test_an_invalid_zone_gives_the_default(cookie):
    assert shown(cookie) == shown()


def test_the_zone_ends_with_its_request():
    shown("Europe/Berlin")

    assert viewer_zone().key == "Asia/Seoul"
    assert timezone.get_current_timezone_name() == "UTC"


@pytest.mark.django_db(transaction=True)
def test_two_viewers_of_one_snapshot_each_read_their_own_time(client, settings):
    """The panels are kept by the engine; what they show is not."""
    settings.HEALTH_PROBES = [{"name": "database", "probe": "tests.healthcheck.samples.fine"}]
    settings.HEALTH_ABILITIES = []
    sign_in(client, is_staff=True)
    other = Client()
    other.force_login(User.objects.get(), backend=BACKEND)
    other.cookies["timezone"] = "America/New_York"
    both, pages = threading.Barrier(2), {}

    def look(name, who):
        both.wait(60)
        pages[name] = [who.get("/status/fragment/").text for _ in range(5)]

    threads = [threading.Thread(target=look, args=each) for each in (("seoul", client), ("york", other))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert all(" KST " in page and " EST " not in page and " EDT " not in page for page in pages["seoul"])
    assert all((" EST " in page or " EDT " in page) and " KST " not in page for page in pages["york"])


@pytest.mark.django_db
def test_a_day_of_the_history_is_a_day_in_korea(settings):
    settings.HEALTH_PROBES = [{"name": "api", "probe": "tests.healthcheck.samples.fine"}]
    now = timezone.now()
    for hour in (14, 15):  # midnight in Korea is 15:00 UTC
        at = now.replace(hour=hour, minute=0, second=0, microsecond=0) - timedelta(days=3)
        HealthHour.objects.create(component="api", hour=at, healthy=hour)

    days = [day for day in histories()["api"].days if day.healthy]

    assert [day.healthy for day in days] == [14, 15]
    assert (days[1].date - days[0].date).days == 1
