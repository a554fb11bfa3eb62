"""A job has one state, which pages, admin, command, probe and metric print (docs/scheduler.md R23)."""

import json
import operator
import re
from html import unescape
from itertools import accumulate

import pytest
from django.core.management import call_command
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import override

from tests.jobs.reporting.test_status import ago, lead
from tradingsite.jobs.metrics import families
from tradingsite.jobs.models import JobState, SchedulerHeartbeat
from tradingsite.jobs.probes import scheduler
from tradingsite.jobs.reporting.panel import jobs
from tradingsite.jobs.reporting.status import JobStatus, read
from tradingsite.jobs.timetable import registered

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("still_clock")]

State = JobStatus.State
NAME = "check_volatility"  # every 30 s, deadline 20 s
FINE = {"last_tick": Now(), "last_started_at": Now(), "last_success": True, "last_success_at": Now()}
FACTS = {
    State.QUARANTINED: {"paused": True, "pause_reason": "quarantine: ended its process 3 times"},
    State.OVERRUN: {"running_since": ago(25)},
    State.LATE: {"last_tick": ago(61)},
    State.FAILING: {"last_success": False, "consecutive_failures": 3, "last_error": "Unreachable: no answer"},
    State.STALE: {"last_success_at": ago(304)},
    State.PAUSED: {"paused": True, "pause_reason": "operator: odd prices"},
    State.FAILED: {"last_success": False, "consecutive_failures": 1, "last_error": "Unreachable: no answer"},
    State.RUNNING: {"running_since": ago(3)},
    State.OK: {},
}


@pytest.fixture(autouse=True)
def english():
    with override("en"):
        yield


def others_are_well(since_s=400):
    lead(since_s=since_s)
    JobState.objects.register(registered())
    JobState.objects.exclude(job_name=NAME).update(**FINE)


@pytest.fixture(params=State)
def state(request):
    """One job in each state; the others are healthy."""
    if request.param is State.NEVER_RAN:
        others_are_well(since_s=0)
    else:
        others_are_well()
        JobState.objects.filter(job_name=NAME).update(**FINE | FACTS[request.param])
    return request.param


@pytest.fixture
def desk(client, admin_user, settings):
    settings.HEALTH_ABILITIES = []
    settings.HEALTH_PROBES = [{"name": "database", "probe": "tests.healthcheck.samples.fine", "ttl_s": 60}]
    client.force_login(admin_user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def first_word(pattern, html):
    """Return the text of the only match, up to the explanation that follows it."""
    (found,) = re.findall(pattern, html, re.DOTALL)
    return " ".join(unescape(re.sub("<[^>]+>", "|", found)).split()).strip("| ").split("|")[0].strip()


def test_panel_prints_the_state(state):
    page = render_to_string("status/jobs.html", jobs())

    assert first_word(rf'data-job="{NAME}">\s*<td class="of-state">(.*?)</td>', page) == state.label


def test_job_page_prints_the_state(state, desk):
    page = desk.get(reverse("job_page", args=[NAME])).content.decode()

    assert first_word(r'<p class="why">(.*?)</p>', page) == state.label


def test_admin_prints_the_state_in_list_and_job_page(state, desk):
    listed = desk.get(reverse("admin:jobs_jobstate_changelist")).content.decode()
    changed = desk.get(reverse("admin:jobs_jobstate_change", args=[NAME])).content.decode()

    assert first_word(rf">{NAME}</a>.*?</th>\s*<td>(.*?)</td>", listed) == state.label
    assert first_word(r"Statistics</h2>\s*<p>(.*?)</p>", changed) == state.label


def test_command_prints_the_state(state, capsys):
    call_command("jobs", "list")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith(NAME)]
    call_command("jobs", "list", "--json")
    listed = {job["job"]: job["state"] for job in json.loads(capsys.readouterr().out)["jobs"]}
    call_command("jobs", "show", NAME, "--json")

    assert re.split(" {2,}", line)[1] == state.label
    assert listed[NAME] == json.loads(capsys.readouterr().out)["state"] == state.value


def test_probe_names_the_state_unless_the_job_is_on_time(state):
    named = re.search(rf"(\w+): {NAME}", scheduler().text())

    assert (named and named[1]) == (
        None if state in {State.RUNNING, State.OK, State.NEVER_RAN} else state.value
    )


def test_metric_is_1_for_this_state_alone(state):
    samples = [sample for family in families() for sample in family.samples if sample.name == "job_state"]
    mine = {each.labels["state"]: each.value for each in samples if each.labels["job"] == NAME}

    assert mine == {each.value: float(each is state) for each in State}


STUCK = "Its loop is stuck: no job starts."


@pytest.mark.parametrize(("lag_s", "stuck"), [(9, False), (11, True)])
def test_leader_with_a_stuck_loop_is_shown_as_stuck_everywhere(lag_s, stuck, desk, capsys):
    others_are_well()
    SchedulerHeartbeat.objects.update(last_loop_at=ago(lag_s))

    call_command("jobs", "list", "--json")
    assert json.loads(capsys.readouterr().out)["leader"]["stuck"] is stuck
    call_command("jobs", "list")
    listed = desk.get(reverse("admin:jobs_jobstate_changelist")).content.decode()
    for text in (capsys.readouterr().out, listed, render_to_string("status/jobs.html", jobs())):
        assert (STUCK in text) is stuck


WORSENING = [
    State.OK,
    State.RUNNING,
    State.FAILED,
    State.STALE,
    State.FAILING,
    State.LATE,
    State.OVERRUN,
]


@pytest.mark.parametrize(
    ("worst", "facts"),
    [
        *zip(WORSENING, accumulate((FACTS[each] for each in WORSENING), operator.or_), strict=True),
        (State.PAUSED, FACTS[State.LATE] | FACTS[State.FAILING] | FACTS[State.STALE] | FACTS[State.PAUSED]),
        (State.OVERRUN, FACTS[State.PAUSED] | FACTS[State.OVERRUN]),
        (State.QUARANTINED, FACTS[State.OVERRUN] | FACTS[State.FAILING] | FACTS[State.QUARANTINED]),
    ],
)
def test_worst_condition_is_the_state(worst, facts):
    others_are_well()
    JobState.objects.filter(job_name=NAME).update(**FINE | facts)

    (found,) = [each.state for each in read().jobs if each.job.name == NAME]
    assert found is worst
