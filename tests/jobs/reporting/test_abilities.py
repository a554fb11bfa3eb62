"""What stands against reading prices, deciding, placing orders and the next runs (docs/health.md, 20)."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from django_apscheduler.models import DjangoJob

from sysconfig.models import SystemConfig
from tradingsite.jobs import abilities
from tradingsite.jobs.models import JobState
from tradingsite.risk.models import Halt

pytestmark = pytest.mark.django_db


def succeeded(name, seconds_ago):
    state, _ = JobState.objects.get_or_create(job_name=name)
    JobState.objects.filter(pk=state.pk).update(last_success_at=Now() - timedelta(seconds=seconds_ago))


def paused(name, reason):
    JobState.objects.update_or_create(
        job_name=name, defaults={"paused": True, "pause_reason": reason, "paused_by": "kim"}
    )


def told(finding):
    return finding.status, finding.paused, finding.english


@pytest.mark.parametrize(
    ("seconds_ago", "status", "text"),
    [
        (3, "healthy", "prices are 3 s old"),
        (40, "warning", "the last prices are 40 s old, limit 30 s"),
        (None, "warning", "no price has been collected yet"),
    ],
)
def test_prices_are_read_while_they_are_young(seconds_ago, status, text):
    if seconds_ago is not None:
        succeeded("collect_market_data", seconds_ago)

    assert told(abilities.read_prices()) == (status, False, text)


def test_a_job_that_somebody_paused_rests_on_purpose_and_one_in_quarantine_does_not():
    paused("collect_market_data", "operator: exchange closes")
    paused("generate_trading_signal", "quarantine: three hard limits")

    assert told(abilities.read_prices()) == (
        "healthy",
        True,
        "collect_market_data is paused by kim: exchange closes",
    )
    assert told(abilities.decide()) == ("warning", False, "generate_trading_signal is quarantined")


def test_a_paused_job_that_overruns_is_overrun_here_too():
    paused("collect_market_data", "operator: exchange closes")
    paused("sync_pending_orders", "operator: audit")
    JobState.objects.update(running_since=Now() - timedelta(minutes=10))
    succeeded("collect_market_data", 600)

    assert told(abilities.read_prices()) == ("warning", False, "the last prices are 600 s old, limit 30 s")
    assert abilities.next_runs().paused is False


def test_orders_are_placed_while_nothing_stops_buys():
    succeeded("check_volatility", 1)

    assert told(abilities.place_orders()) == ("healthy", False, "buying and selling")


def test_an_operators_halt_and_a_switch_are_on_purpose():
    succeeded("check_volatility", 1)
    Halt.objects.create(
        market="", kind=Halt.Kind.OPERATOR, reason="audit", made_by="kim", started_at=timezone.now()
    )

    assert told(abilities.place_orders()) == ("healthy", True, "halted by kim: audit")

    SystemConfig.objects.set_value("trading_enabled", False)
    assert told(abilities.place_orders()) == ("healthy", True, "trading_enabled is off")


def test_a_check_that_does_not_succeed_is_nobodys_purpose():
    succeeded("check_volatility", 600)

    assert told(abilities.place_orders()) == (
        "warning",
        False,
        "check_volatility last succeeded 600 s ago, limit 90 s",
    )


def test_a_limit_that_cannot_be_read_is_a_no():
    SystemConfig.objects.bulk_create(
        [SystemConfig(key="stop_loss_pct", value="much")],
        update_conflicts=True, unique_fields=["key"], update_fields=["value"],
    )  # fmt: skip
    SystemConfig.cache.start_over()

    finding = abilities.place_orders()

    assert (finding.status, finding.paused) == ("unhealthy", False)
    assert "stop_loss_pct cannot be read" in finding.english


def test_the_next_run_is_named():
    assert told(abilities.next_runs()) == ("warning", False, "no run is planned: no scheduler has led yet")
    at = timezone.now() + timedelta(minutes=5)
    DjangoJob.objects.create(id="sync_pending_orders", next_run_time=at, job_state=b"")

    assert told(abilities.next_runs()) == (
        "healthy",
        False,
        f"next: sync_pending_orders at {at:%H:%M:%S} UTC",
    )

    paused("sync_pending_orders", "operator: audit")
    assert told(abilities.next_runs()) == ("healthy", True, "paused: sync_pending_orders")


def test_a_halt_does_not_hide_a_check_that_fails():
    succeeded("check_volatility", 600)
    now = timezone.now()
    Halt.objects.create(market="", kind=Halt.Kind.OPERATOR, reason="audit", made_by="kim", started_at=now)

    assert told(abilities.place_orders())[:2] == ("warning", False)


def test_a_clean_up_that_rests_stops_no_trading():
    DjangoJob.objects.create(id="sync_pending_orders", next_run_time=timezone.now(), job_state=b"")
    paused("cleanup_old_data", "operator: audit")

    assert abilities.next_runs().paused is False
