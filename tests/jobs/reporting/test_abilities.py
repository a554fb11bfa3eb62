"""Whether the site can read prices, decide, place orders and run its next jobs (docs/health.md, 20)."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from django_apscheduler.models import DjangoJob

from sysconfig.models import SystemConfig
from tradingsite.jobs import abilities
from tradingsite.jobs.models import JobState
from tradingsite.risk.models import Halt

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("still_clock")]


def succeeded(name, seconds_ago):
    state, _ = JobState.objects.get_or_create(job_name=name)
    JobState.objects.filter(pk=state.pk).update(last_success_at=Now() - timedelta(seconds=seconds_ago))


def paused(name, reason):
    JobState.objects.update_or_create(
        job_name=name, defaults={"paused": True, "pause_reason": reason, "paused_by": "kim"}
    )


def facts(finding):
    return finding.status, finding.paused, finding.english


@pytest.mark.parametrize(
    ("seconds_ago", "status", "text"),
    [
        (3, "healthy", "prices are 3 s old"),
        (40, "warning", "the last prices are 40 s old, limit 30 s"),
        (None, "warning", "no price has been collected yet"),
    ],
)
def test_read_prices_is_healthy_while_prices_are_fresh(seconds_ago, status, text):
    if seconds_ago is not None:
        succeeded("collect_market_data", seconds_ago)

    assert facts(abilities.read_prices()) == (status, False, text)


@pytest.mark.parametrize("ability", [abilities.read_prices, abilities.decide])
def test_ability_of_one_job_reads_one_row(ability, django_assert_num_queries):
    succeeded("collect_market_data", 3)

    with django_assert_num_queries(1):
        ability()


def test_paused_job_is_healthy_and_quarantined_job_is_not():
    paused("collect_market_data", "operator: exchange closes")
    paused("generate_trading_signal", "quarantine: three hard limits")

    assert facts(abilities.read_prices()) == (
        "healthy",
        True,
        "collect_market_data is paused by kim: exchange closes",
    )
    assert facts(abilities.decide()) == ("warning", False, "generate_trading_signal is quarantined")


def test_paused_job_that_overruns_is_a_warning():
    paused("collect_market_data", "operator: exchange closes")
    paused("sync_pending_orders", "operator: audit")
    JobState.objects.update(running_since=Now() - timedelta(minutes=10))
    succeeded("collect_market_data", 600)

    assert facts(abilities.read_prices()) == ("warning", False, "the last prices are 600 s old, limit 30 s")
    assert abilities.next_runs().paused is False


def test_place_orders_is_healthy_while_nothing_stops_buys():
    succeeded("check_volatility", 1)

    assert facts(abilities.place_orders()) == ("healthy", False, "buying and selling")


def test_operators_halt_and_switch_are_healthy():
    succeeded("check_volatility", 1)
    Halt.objects.create(
        market="", kind=Halt.Kind.OPERATOR, reason="audit", made_by="kim", started_at=timezone.now()
    )

    assert facts(abilities.place_orders()) == ("healthy", True, "halted by kim: audit")

    SystemConfig.objects.set_value("trading_enabled", False)
    assert facts(abilities.place_orders()) == ("healthy", True, "trading_enabled is off")


def test_volatility_check_that_does_not_succeed_is_a_warning():
    succeeded("check_volatility", 600)

    assert facts(abilities.place_orders()) == (
        "warning",
        False,
        "check_volatility last succeeded 600 s ago, limit 90 s",
    )


def test_unreadable_limit_is_unhealthy():
    SystemConfig.objects.bulk_create(
        [SystemConfig(key="stop_loss_pct", value="much")],
        update_conflicts=True, unique_fields=["key"], update_fields=["value"],
    )  # fmt: skip
    SystemConfig.cache.start_over()

    finding = abilities.place_orders()

    assert (finding.status, finding.paused) == ("unhealthy", False)
    assert "stop_loss_pct cannot be read" in finding.english


def test_next_runs_names_the_next_run():
    assert facts(abilities.next_runs()) == ("warning", False, "no run is planned: no scheduler has led yet")
    at = timezone.now() + timedelta(minutes=5)
    DjangoJob.objects.create(id="sync_pending_orders", next_run_time=at, job_state=b"")

    assert facts(abilities.next_runs()) == (
        "healthy",
        False,
        f"next: sync_pending_orders at {at:%H:%M:%S} UTC",
    )

    paused("sync_pending_orders", "operator: audit")
    assert facts(abilities.next_runs()) == ("healthy", True, "paused: sync_pending_orders")


def test_halt_does_not_hide_a_failing_check():
    succeeded("check_volatility", 600)
    now = timezone.now()
    Halt.objects.create(market="", kind=Halt.Kind.OPERATOR, reason="audit", made_by="kim", started_at=now)

    assert facts(abilities.place_orders())[:2] == ("warning", False)


def test_paused_clean_up_does_not_pause_next_runs():
    DjangoJob.objects.create(id="sync_pending_orders", next_run_time=timezone.now(), job_state=b"")
    paused("cleanup_old_data", "operator: audit")

    assert abilities.next_runs().paused is False
