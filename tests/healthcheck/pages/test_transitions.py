"""The list of changes and the page of each: who sees them and what they say (docs/health.md, 27)."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from healthcheck.models import Alert, HealthTransition
from tests.healthcheck.conftest import BACKEND, BEARER
from tests.healthcheck.databases import unreachable

LIST = "/status/transitions/"
HOSTILE = "<script>alert(1)</script>"

pytestmark = pytest.mark.usefixtures("site")


@pytest.fixture
def desk(client, db):
    """A client signed in as staff."""
    client.force_login(User.objects.create_user("kim", is_staff=True), backend=BACKEND)
    return client


def change(minutes_ago=0, component="upbit_api", after="unhealthy", message="", **facts):
    before = "healthy" if after == "unhealthy" else "unhealthy"
    at = timezone.now() - timedelta(minutes=minutes_ago)
    return HealthTransition.objects.create(
        component=component, at=at, before=before, after=after, message=message, **facts
    )


def many(count):
    HealthTransition.objects.bulk_create(
        HealthTransition(
            component="upbit_api",
            at=timezone.now() - timedelta(minutes=ago),
            before="unhealthy" if ago % 2 else "healthy",
            after="healthy" if ago % 2 else "unhealthy",
        )
        for ago in range(count)
    )


def shown(response):
    return [int(pk) for pk in re.findall(r'href="/status/transitions/(\d+)/"', response.content.decode())]


def text_of(response):
    return " ".join(response.content.decode().split())


def test_changes_are_listed_newest_first_in_pages_of_fifty(desk):
    many(120)
    pages = [desk.get(LIST)]
    while older := re.search(r'rel="next" href="\?([^"]*)"', pages[-1].content.decode()):
        pages.append(desk.get(f"{LIST}?{older[1].replace('&amp;', '&')}"))

    pks_by_page = [shown(page) for page in pages]

    assert [len(page) for page in pks_by_page] == [50, 50, 20]
    newest_first = HealthTransition.objects.order_by("-at").values_list("pk", flat=True)
    assert [pk for page in pks_by_page for pk in page] == list(newest_first)
    assert "The newest" in text_of(pages[1])
    assert "The newest" not in text_of(pages[0])


def test_a_component_can_be_chosen(desk):
    ours, other = change(2), change(1, component="database")

    assert shown(desk.get(LIST)) == [other.pk, ours.pk]
    chosen = desk.get(LIST, {"component": "upbit_api"})
    assert shown(chosen) == [ours.pk]
    assert '<option value="upbit_api" selected>' in text_of(chosen)
    unknown = desk.get(LIST, {"component": HOSTILE})
    assert unknown.status_code == 404
    assert HOSTILE not in text_of(unknown)
    assert 'href="/status/transitions/?component=upbit_api"' in text_of(unknown)


@pytest.mark.parametrize("older", ["x", "-1", "²", "9" * 40, "0"])
def test_a_wrong_page_parameter_is_ignored(desk, older):
    change()

    assert desk.get(LIST, {"older": older}).status_code == 200


def test_the_page_of_a_change_shows_states_duration_and_advice(desk):
    down = change(
        12, message="no answer within %(limit)s s to " + HOSTILE, params={"limit": 4}, version="1.2.3"
    )
    up = change(5, after="healthy", rehearsal=True)

    was, became = text_of(desk.get(f"{LIST}{down.pk}/")), text_of(desk.get(f"{LIST}{up.pk}/"))

    assert "Healthy → Unhealthy" in was
    assert "no answer within 4 s to &lt;script&gt;" in was
    assert HOSTILE not in was
    assert "it lasted 7 min" in was
    assert "1.2.3" in was
    assert "Rehearsal: set by staff" not in was
    assert "What it means, what to do" in was
    assert "what it became" in was
    assert "none created" in was
    assert "for 5 min" in became
    assert "Current state" in was
    assert 'class="verdict notice was-unhealthy"' in was
    assert 'class="verdict healthy"' in became
    assert "Rehearsal: set by staff" in became


@pytest.mark.parametrize(
    ("state", "words"), [("sent", "sent"), ("held", "summed up in a later message"), ("failed", "failed")]
)
def test_the_page_of_a_change_shows_its_alert(desk, state, words):
    row = change()
    Alert.objects.create(transition=row, state=state, attempts=3, error=HOSTILE, sent_at=timezone.now())

    text = text_of(desk.get(f"{LIST}{row.pk}/"))

    assert f"<dt>Alert</dt> <dd> {words}" in text
    assert "3 attempts" in text
    assert HOSTILE not in text


def test_a_change_of_a_removed_component_is_still_shown(desk):
    row = change(component="old_one")

    text = text_of(desk.get(f"{LIST}{row.pk}/"))

    assert "no longer monitored" in text
    assert "What it means, what to do" not in text


@pytest.mark.parametrize("pk", ["0", "9223372036854775807", "9" * 40])
def test_a_change_that_is_not_on_record_is_a_404(desk, pk):
    response = desk.get(f"{LIST}{pk}/")

    assert response.status_code == 404
    assert "deleted after its retention period" in text_of(response)


def test_others_are_sent_to_sign_in(client, db):
    row = change()
    for address in (LIST, f"{LIST}{row.pk}/"):
        response = client.get(address)
        assert (response.status_code, response["Location"]) == (302, f"/admin/login/?next={address}")
        assert client.get(address, headers=BEARER).status_code == 200


def test_the_number_of_queries_does_not_grow_with_the_history(desk, django_assert_max_num_queries):
    row = change()
    for address in (LIST, f"{LIST}{row.pk}/"):
        desk.get(address)
    many(300)
    for address in (LIST, f"{LIST}{row.pk}/"):
        with django_assert_max_num_queries(4):
            desk.get(address)


@pytest.mark.django_db(transaction=True)
def test_without_a_database_the_pages_say_so_at_once(staff, tmp_path):
    assert staff.get(LIST).status_code == 200  # the database is known to be well for a minute

    with unreachable(tmp_path):
        answers = [staff.get(address, headers=BEARER) for address in (LIST, f"{LIST}7/")]

    for answer in answers:
        assert answer.status_code == 200
        assert "The history cannot be read: the database does not answer." in text_of(answer)
