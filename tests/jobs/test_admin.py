from decimal import Decimal

import pytest
from django.contrib import admin
from django.urls import reverse
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from tests.jobs.conftest import NOON
from tradingsite.jobs.models import JobState

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client, admin_user):
    client.force_login(admin_user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_the_library_s_own_admin_with_its_run_now_is_gone():
    assert not admin.site.is_registered(DjangoJob)
    assert not admin.site.is_registered(DjangoJobExecution)


def test_job_states_can_be_looked_at_and_not_changed(operator):
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


def test_kept_runs_can_be_looked_at(operator):
    job = DjangoJob.objects.create(id="check_volatility", job_state=b"")
    run = DjangoJobExecution.objects.create(
        job=job, run_time=NOON, status="Error!", duration=Decimal("1.50"), exception="Unreachable: no answer"
    )

    assert "Unreachable: no answer" in operator.get(reverse("admin:jobs_jobrun_changelist")).content.decode()
    assert "1.50" in operator.get(reverse("admin:jobs_jobrun_change", args=[run.pk])).content.decode()
