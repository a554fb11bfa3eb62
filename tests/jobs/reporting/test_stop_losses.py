"""Whether stop-losses are sold now: page and commands agree and give every reason (docs/risk.md V17)."""

import json
import re
from datetime import timedelta
from html import unescape

import pytest
from django.core.management import call_command
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import override

from sysconfig.models import SystemConfig
from tests.jobs.reporting.test_job_states import FACTS, FINE, State, others_are_well
from tests.jobs.reporting.test_status import ago, fact, lead
from tests.marketdata.feed import record_price
from tests.orders.trades import bought, sold
from tradingsite.jobs import control
from tradingsite.jobs.abilities import place_orders
from tradingsite.jobs.models import JobState, SchedulerHeartbeat
from tradingsite.jobs.reporting import trading_panel
from tradingsite.jobs.reporting.status import read
from tradingsite.jobs.run_result import RunResult
from tradingsite.marketdata.models import Ticker
from tradingsite.risk import halts

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("still_clock")]

BTC = "KRW-BTC"
CHECK = "check_volatility"
SIGNAL = "generate_trading_signal"
GO_ON = "Sells and stop-losses go on."
NOTHING_HELD = "There is no position that a stop-loss could sell."


@pytest.fixture(autouse=True)
def guarded():
    """A position with a fresh price, and a check of the volatility that has just succeeded."""
    now = timezone.now()
    lead()
    JobState.objects.register([CHECK])
    JobState.objects.record(RunResult(CHECK, now, 1.0))
    fact(CHECK, last_tick=ago(1))
    bought(BTC, ("100", "2"), at=now - timedelta(minutes=5), fee=1)
    record_price(BTC, "120", now - timedelta(minutes=5), now)
    with override("en"):
        yield


def paused():
    control.pause(CHECK, "rebuild", "ann")


def quarantined():
    fact(CHECK, paused=True, pause_reason="quarantine: ended its process 3 times")


def late():
    SchedulerHeartbeat.objects.update(acquired_at=ago(400))
    fact(CHECK, last_tick=ago(61), last_success_at=ago(61))


def hung():
    fact(CHECK, running_since=ago(25), last_success_at=ago(55))


def failing():
    fact(CHECK, last_success=False, consecutive_failures=3, last_success_at=ago(100))


def never_succeeded():
    fact(CHECK, last_success=False, consecutive_failures=1, last_success_at=None)


def long_ago():
    fact(CHECK, last_success_at=ago(91))


def gone():
    SchedulerHeartbeat.objects.update(heartbeat_at=ago(60))


def stuck():
    SchedulerHeartbeat.objects.update(last_loop_at=ago(11))


def without_a_price():
    Ticker.objects.update(last_seen_at=ago(75))


def never_priced():
    Ticker.objects.all().delete()


def unreadable():
    SystemConfig.objects.filter(key="stop_loss_pct").update(value="five")  # past every cache, as by SQL


def by_all():
    paused()
    gone()
    unreadable()
    never_priced()


SITUATIONS = [
    (paused, r"check_volatility: paused \(rebuild\)"),
    (quarantined, r"check_volatility: quarantined \(ended its process 3 times\)"),
    (late, "check_volatility: late"),
    (hung, "check_volatility: overrun"),
    (failing, "check_volatility: failing; check_volatility last succeeded 10[01] s ago, limit 90 s"),
    (never_succeeded, "check_volatility has never succeeded"),
    (long_ago, "check_volatility last succeeded 9[12] s ago, limit 90 s"),
    (gone, "no scheduler leads"),
    (stuck, "the scheduler's loop is stuck"),
    (without_a_price, "no price of KRW-BTC: last seen 7[5-9] s ago, limit 30 s"),
    (never_priced, "no price of KRW-BTC: no price yet"),
    (unreadable, "stop_loss_pct cannot be read"),
    (
        by_all,
        r"no scheduler leads; check_volatility: paused \(rebuild\); "
        "stop_loss_pct cannot be read; no price of KRW-BTC: no price yet",
    ),
]


def page():
    html = render_to_string("status/trading.html", trading_panel.trading())
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def trade(capsys, *arguments):
    call_command("trade", *arguments)
    return capsys.readouterr().out


@pytest.mark.parametrize(("situation", "why"), SITUATIONS)
def test_page_and_commands_say_why_no_stop_loss_is_sold(situation, why, capsys):
    situation()
    sentence = f"No stop-loss is sold now: {why}"

    for text in (
        page(),
        trade(capsys, "status"),
        trade(capsys, "halt", "--reason", "odd", "--by", "kim"),
        page(),
    ):
        assert re.search(rf"{sentence}( |\n|$)", text)
        assert "go on" not in text
    found = json.loads(trade(capsys, "status", "--json"))["stop_losses"]
    assert re.fullmatch(sentence, found["text"])
    assert re.fullmatch(why, "; ".join(found["reasons"]))


def test_page_and_commands_say_that_stop_losses_go_on(capsys):
    assert "stop-loss" not in page()  # buying and selling: nothing to explain

    assert trade(capsys, "halt", "--reason", "odd", "--by", "kim").splitlines()[1] == GO_ON
    assert GO_ON in page()
    assert trade(capsys, "status").splitlines()[1] == GO_ON
    assert json.loads(trade(capsys, "status", "--json"))["stop_losses"] == {"text": GO_ON, "reasons": []}


SIGNAL_FACTS = FACTS | {
    State.OVERRUN: {"running_since": ago(301)},
    State.LATE: {"last_tick": ago(4000)},
    State.STALE: {"last_success_at": ago(6000)},
}


@pytest.mark.parametrize("state", SIGNAL_FACTS)
def test_sells_go_on_only_while_the_signal_job_works(state, capsys):
    others_are_well(since_s=7000)
    fact(CHECK, **FINE)
    fact(SIGNAL, **FINE | SIGNAL_FACTS[state])
    sentence = GO_ON if state in {State.FAILED, State.RUNNING, State.OK} else "Stop-losses go on."

    assert read().job(SIGNAL).state is state
    assert trade(capsys, "halt", "--reason", "odd", "--by", "kim").splitlines()[1] == sentence
    assert re.search(rf"(^| ){sentence}", page())


@pytest.mark.parametrize(("seconds_ago", "state"), [(85, "active"), (95, "reducing")])
def test_age_of_the_check_is_by_the_databases_clock(seconds_ago, state, capsys, monkeypatch):
    fact(CHECK, last_success_at=ago(seconds_ago))
    real = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() + timedelta(seconds=20 if state == "active" else -20))

    found = json.loads(trade(capsys, "status", "--json"))

    assert found["state"] == state
    assert ("check_volatility last succeeded 95 s ago" in found["text"]) is (state == "reducing")
    assert [each for each in found["stop_losses"]["reasons"] if CHECK in each] == (
        [] if state == "active" else [f"{CHECK} last succeeded 95 s ago, limit 90 s"]
    )
    assert (place_orders().status == "healthy") is (state == "active")


def test_one_failed_run_does_not_stop_stop_losses():
    fact(CHECK, last_success=False, consecutive_failures=1, last_success_at=ago(45))
    halts.halt_now("lunch", "kim")
    assert GO_ON in page()
    fact(CHECK, running_since=ago(3))

    assert GO_ON in page()


def test_without_positions_there_is_nothing_to_sell(capsys):
    sold(BTC, ("120", "2"), at=timezone.now())
    halts.halt_now("lunch", "kim")
    assert NOTHING_HELD in page()
    assert trade(capsys, "status").splitlines()[1] == NOTHING_HELD

    gone()
    assert f"{NOTHING_HELD} None would be sold: no scheduler leads" in page()
