"""Maintenance windows and rehearsals in admin (docs/health.md, 19)."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from structlog.testing import capture_logs

from healthcheck import overrides
from healthcheck.models import HealthOverride
from tests.healthcheck.conftest import BACKEND
from tests.healthcheck.imposing import impose

pytestmark = pytest.mark.django_db

LIST, ADD, ONE = (f"admin:healthcheck_healthoverride_{page}" for page in ("changelist", "add", "change"))
GIVEN = {"component": "upbit_api", "kind": "maintenance", "minutes": "30", "reason": "their notice"}


def signed_in(*actions):
    user = User.objects.create_user("kim", is_staff=True)
    names = [f"{action}_healthoverride" for action in actions]
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(user, backend=BACKEND)
    return client


@pytest.fixture
def client():
    return signed_in("add", "view", "change")


def errors(client, **given):
    """Return what the form says is wrong, and that nothing was written."""
    response = client.post(reverse(ADD), GIVEN | given)
    assert response.status_code == 200
    assert not HealthOverride.objects.exists()
    return response.context["adminform"].form.errors


def test_a_maintenance_begins_now_with_its_author(client):
    with capture_logs() as logs:
        response = client.post(reverse(ADD), GIVEN)

    assert response.url == reverse(LIST)
    made = HealthOverride.objects.get()
    assert (made.component, made.kind, made.reason, made.made_by) == (
        "upbit_api",
        "maintenance",
        "their notice",
        "kim",
    )
    assert made.ends_at - made.starts_at == timedelta(minutes=30)
    assert abs(made.starts_at - timezone.now()) < timedelta(minutes=1)
    assert LogEntry.objects.get().object_id == str(made.pk)
    assert [(log["event"], log["by"]) for log in logs if log["event"].startswith("health.")] == [
        ("health.imposed", "kim")
    ]


def test_a_maintenance_may_be_planned_and_for_all_components(client):
    at = timezone.localtime(timezone.now() + timedelta(days=2)).replace(second=0, microsecond=0)
    client.post(
        reverse(ADD),
        GIVEN | {"component": "all", "starts_at": f"{at:%Y-%m-%dT%H:%M}"},
    )

    made = HealthOverride.objects.get()
    assert (made.component, made.starts_at) == ("", at)


@pytest.mark.parametrize(
    ("given", "field", "error"),
    [
        ({"component": ""}, "component", "required"),
        ({"component": "upbit"}, "component", "upbit"),
        ({"kind": ""}, "kind", "required"),
        ({"kind": "explode"}, "kind", "explode"),
        ({"minutes": "0"}, "minutes", "0 minutes are too few, limit 1."),
        ({"minutes": "soon"}, "minutes", "whole number"),
        (
            {"minutes": "1441"},
            "minutes",
            "1441 minutes are too many for maintenance",
        ),
        (
            {"kind": "fail", "minutes": "61"},
            "minutes",
            "for rehearsal: fail, limit 60.",
        ),
        ({"reason": "  "}, "reason", "required"),
        ({"reason": "x" * 201}, "reason", "200"),
        ({"starts_at": "2020-01-01T12:00"}, "starts_at", "2020-01-01"),
        ({"starts_at": "2199-01-01T12:00"}, "starts_at", "30 days from now"),
        ({"starts_at": "tomorrow"}, "starts_at", "valid date"),
    ],
)
def test_a_wrong_value_is_refused_with_its_rule_and_changes_nothing(client, given, field, error):
    found = errors(client, **given)

    assert list(found) == [field]
    assert error in " ".join(found[field])


@pytest.mark.parametrize("kind", ["warn", "fail"])
def test_in_live_mode_rehearsals_are_neither_offered_nor_taken(client, settings, kind):
    assert f'value="{kind}"' in client.get(reverse(ADD)).content.decode()
    settings.HEALTH_REHEARSALS = False

    assert f'value="{kind}"' not in client.get(reverse(ADD)).content.decode()
    assert errors(client, kind=kind) == {
        "kind": [f"{kind} is refused: there are no rehearsals in live mode."]
    }
    wish = overrides.OverrideRequest("upbit_api", overrides.Kind(kind), timedelta(minutes=1), "why")
    with pytest.raises(overrides.OverrideRefused, match="not allowed"):
        overrides.impose(wish, "kim")
    assert not HealthOverride.objects.exists()


@pytest.mark.parametrize("minutes", [0, 61])
def test_the_service_refuses_a_length_outside_the_limits(minutes):
    wish = overrides.OverrideRequest("", overrides.Kind.WARN, timedelta(minutes=minutes), "why")

    with pytest.raises(overrides.OverrideRefused, match="limit 1:00:00"):
        overrides.impose(wish, "kim")


def test_a_rehearsed_hang_of_release_0_6_0_is_shown_and_no_longer_offered(client):
    made = impose("hang", "upbit_api")

    listed = client.get(reverse("admin:healthcheck_healthoverride_changelist")).content.decode()
    page = client.get(reverse("admin:healthcheck_healthoverride_change", args=[made])).content.decode()

    assert ">hang<" in listed
    assert ">hang<" in page
    assert 'value="hang"' not in client.get(reverse(ADD)).content.decode()


def test_ending_an_override_early_records_the_author_once(client):
    first, second = impose("fail", "upbit_api"), impose("maintenance", begins_s=60)
    over = impose("warn", begins_s=-60, lasts_s=30)
    chosen = {"action": "end_now", "_selected_action": [first, second, over]}

    text = client.post(reverse(LIST), chosen, follow=True).content.decode()

    assert "2 ended." in text
    assert HealthOverride.objects.filter(ended_by="kim", ended_at__isnull=False).count() == 2
    assert LogEntry.objects.count() == 2
    client.post(reverse(LIST), chosen)
    assert LogEntry.objects.count() == 2


def test_a_user_with_view_permission_can_neither_begin_nor_end_an_override():
    key = impose("fail", "upbit_api")
    client = signed_in("view")

    assert client.post(reverse(ADD), GIVEN).status_code == 403
    client.post(reverse(LIST), {"action": "end_now", "_selected_action": [key]})

    assert HealthOverride.objects.get().ended_at is None


def test_an_override_is_neither_edited_nor_deleted():
    key = impose("fail", "upbit_api")
    client = signed_in("add", "view", "change", "delete")

    assert "new disks" in client.get(reverse(LIST)).content.decode()
    page = reverse(ONE, args=[key])
    assert "new disks" in client.get(page).content.decode()
    client.post(page, GIVEN | {"reason": "none"})
    client.post(reverse("admin:healthcheck_healthoverride_delete", args=[key]), {"post": "yes"})

    assert HealthOverride.objects.get().reason == "new disks"


def test_overrides_need_the_view_permission():
    assert signed_in().get(reverse(LIST)).status_code == 403
