from decimal import Decimal

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.urls import reverse
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from tests.jobs.conftest import NOON
from tradingsite.jobs.models import JobEvent, JobState
from tradingsite.jobs.timetable import registered

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client, admin_user):
    client.force_login(admin_user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_django_apscheduler_admin_is_not_registered():
    assert not admin.site.is_registered(DjangoJob)
    assert not admin.site.is_registered(DjangoJobExecution)


def test_job_states_are_read_only(operator):
    JobState.objects.create(
        job_name="check_volatility", last_error="Unreachable: no answer", last_success=False
    )
    change = reverse("admin:jobs_jobstate_change", args=["check_volatility"])

    assert (
        "Unreachable: no answer" in operator.get(reverse("admin:jobs_jobstate_changelist")).content.decode()
    )
    assert operator.get(change).status_code == 200
    assert operator.post(change, {"runs": "7"}).status_code == 403
    assert operator.get(reverse("admin:jobs_jobstate_add")).status_code == 403
    assert operator.post(reverse("admin:jobs_jobstate_delete", args=["check_volatility"])).status_code == 403


def test_kept_runs_are_shown(operator):
    job = DjangoJob.objects.create(id="check_volatility", job_state=b"")
    run = DjangoJobExecution.objects.create(
        job=job, run_time=NOON, status="Error!", duration=Decimal("1.50"), exception="Unreachable: no answer"
    )

    assert "Unreachable: no answer" in operator.get(reverse("admin:jobs_jobrun_changelist")).content.decode()
    assert "1.50" in operator.get(reverse("admin:jobs_jobrun_change", args=[run.pk])).content.decode()


COLLECT = "collect_market_data"


def control_url(action):
    return reverse("admin:jobs_control", args=[COLLECT, action])


def state():
    return JobState.objects.get(job_name=COLLECT)


def test_every_job_is_listed_before_any_ran(operator):
    text = operator.get(reverse("admin:jobs_jobstate_changelist")).content.decode()

    assert all(name in text for name in registered())


def test_job_is_paused_with_a_reason_and_resumed(operator, admin_user):
    assert operator.get(control_url("pause")).status_code == 200
    assert JobState.objects.filter(paused=True).count() == 0
    assert operator.post(control_url("pause"), {"reason": "  "}).status_code == 409
    assert operator.post(control_url("pause"), {"reason": "odd prices"}).status_code == 302
    assert (state().pause_reason, state().paused_by) == ("operator: odd prices", admin_user.username)
    assert operator.post(control_url("pause"), {"reason": "again"}).status_code == 409
    assert operator.post(control_url("run")).status_code == 409

    assert operator.post(control_url("resume")).status_code == 302
    assert not state().paused
    kinds = JobEvent.objects.order_by("id").values_list("kind", "by", "text")
    who = admin_user.username
    assert list(kinds) == [("paused", who, "odd prices"), ("resumed", who, "")]
    page = operator.get(reverse("admin:jobs_jobstate_change", args=[COLLECT])).content.decode()
    assert "odd prices" in page


def test_second_click_requests_no_second_run(operator, admin_user):
    assert operator.post(control_url("run")).status_code == 302
    asked_at = state().run_requested_at
    assert operator.post(control_url("run")).status_code == 409

    assert (state().run_requested_at, state().run_requested_by) == (asked_at, admin_user.username)
    assert JobEvent.objects.filter(kind="run_requested").count() == 1


@pytest.mark.parametrize("action", ["pause", "resume", "run"])
def test_viewer_cannot_control_jobs(client, django_user_model, action):
    viewer = django_user_model.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_jobstate"))
    client.force_login(viewer, backend="django.contrib.auth.backends.ModelBackend")

    assert client.get(reverse("admin:jobs_jobstate_changelist")).status_code == 200
    assert client.get(control_url(action)).status_code == 403
    assert client.post(control_url(action), {"reason": "x"}).status_code == 403
    assert not JobEvent.objects.exists()
    assert "/now/" not in client.get(reverse("admin:jobs_jobstate_changelist")).content.decode()


def test_unknown_jobs_and_actions_are_not_found(operator, client):
    assert operator.post(reverse("admin:jobs_control", args=[COLLECT, "delete"])).status_code == 404
    assert operator.post(reverse("admin:jobs_control", args=["no_job", "run"])).status_code == 404


def test_number_of_queries_does_not_grow_with_the_history(operator, django_assert_max_num_queries):
    JobEvent.objects.bulk_create(JobEvent(job_name=COLLECT, kind="paused", text=str(n)) for n in range(500))
    with django_assert_max_num_queries(14):
        operator.get(reverse("admin:jobs_jobstate_changelist"))
    with django_assert_max_num_queries(18):
        page = operator.get(reverse("admin:jobs_jobstate_change", args=[COLLECT])).content.decode()
    assert page.count("<td>paused</td>") == 50
