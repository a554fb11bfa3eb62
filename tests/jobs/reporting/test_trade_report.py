"""`manage.py trade`: the trading state, and an operator's halt from a terminal (docs/risk.md V16)."""

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.utils import timezone
from django.utils.translation import override

from sysconfig.models import SystemConfig
from tests.marketdata.feed import record_price
from tests.orders.trades import bought
from tradingsite.jobs.models import JobState, SchedulerHeartbeat
from tradingsite.jobs.run_result import RunResult
from tradingsite.korean_day import day_of
from tradingsite.models import DatabaseMode
from tradingsite.orders.models import AccountReading, SyncRound, TradingDay
from tradingsite.risk import halts
from tradingsite.risk.models import Halt

pytestmark = pytest.mark.django_db

BTC = "KRW-BTC"
ROOT = Path(__file__).resolve().parents[3]
SINCE = timezone.now().replace(microsecond=0) - timedelta(minutes=5)
ISO = f"{SINCE:%Y-%m-%dT%H:%M:%SZ}"
STAMP = f"{SINCE:%Y-%m-%d %H:%M:%S}"


@pytest.fixture(autouse=True)
def at_work():
    """A leader, a successful volatility check and a price; nothing was traded."""
    now = timezone.now()
    SchedulerHeartbeat.objects.take_over("trader-1", 4711)
    JobState.objects.register(["check_volatility"])
    JobState.objects.record(RunResult("check_volatility", now, 1.0, {}, None))
    record_price(BTC, "120", now - timedelta(minutes=5), now)
    with override("en"):
        yield


@pytest.fixture
def trade(capsys):
    def run(*arguments):
        call_command("trade", *arguments)
        return capsys.readouterr().out

    return run


@pytest.fixture
def a_position():
    bought(BTC, ("100", "2"), at=SINCE, fee=1)
    AccountReading.objects.create(
        read_at=SINCE, krw_free=Decimal(999799), krw_locked=0, coins={}, equity=Decimal(1000039)
    )
    TradingDay.objects.create(
        day=day_of(timezone.now()), base_equity=1_000_000, base_result=0, based_at=SINCE
    )


@contextmanager
def unreadable(table):
    """Lock a table in another session, as a migration does; this session waits for it only briefly."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '200ms'")
    with connections.create_connection("default").cursor() as other:
        other.execute("BEGIN")
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.db.close()
            connection.close()


def volatile() -> Halt:
    return Halt.objects.create(
        kind="volatility",
        market=BTC,
        reason="moved 3.4 % in 5 min, limit 3 %",
        started_at=SINCE,
        until=SINCE + timedelta(minutes=15),
        made_by="check_volatility",
        move_pct=Decimal("3.4000"),
        threshold_pct=Decimal("3.0000"),
    )


def test_status_without_data_says_none_in_each_part(trade):
    JobState.objects.update(last_success_at=None)

    assert trade("status").splitlines() == [
        "new buys paused: check_volatility has never succeeded",
        "There is no position that a stop-loss could sell. "
        "None would be sold: check_volatility has never succeeded",
        "",
        "Halts",
        "  none",
        "",
        "Jobs",
        "  check_volatility: last success at -",
        "  sync_pending_orders: last success at -",
        "",
        "Account",
        "  none",
        "",
        "Positions",
        "  none",
        "",
        "Open orders",
        "  none",
    ]


@pytest.mark.usefixtures("a_position")
def test_status_shows_state_halts_account_positions_and_orders(trade):
    volatile()
    order = bought(BTC, at=SINCE, state="UNKNOWN")
    checked_at = timezone.now().replace(microsecond=0)
    JobState.objects.update(last_success_at=checked_at)
    SyncRound.objects.create(at=SINCE)

    lines = trade("status").splitlines()

    ages = [lines.pop(7), lines.pop(7)]
    assert re.fullmatch(rf"  check_volatility: last success at {checked_at:%F %T} UTC \(\d+ s ago\)", ages[0])
    assert re.fullmatch(rf"  sync_pending_orders: last success at {STAMP} UTC \(\d+ s ago\)", ages[1])
    assert lines == [
        "new buys paused: KRW-BTC moved 3.4 % in 5 min, resumes after 15 calm minutes",
        "Sells and stop-losses go on.",
        "",
        "Halts",
        f"  KRW-BTC: moved 3.4 % in 5 min, limit 3 % (since {STAMP} UTC, by check_volatility)",
        "",
        "Jobs",
        "",
        "Account",
        f"  equity 1,000,039.00 KRW, free 999,799.00 KRW, locked 0.00 KRW (read at {STAMP} UTC)",
        "  result today +39.00 KRW (+0.00 %), limit -50,000.00 KRW",
        "",
        "Positions",
        "  KRW-BTC: 2 at 100.50, last price 120, unrealised 39.00 KRW (dust: too little to be sold)",
        "",
        "Open orders",
        f"  KRW-BTC: buy, unknown since {STAMP} UTC ({order.identifier})",
    ]


@pytest.mark.usefixtures("a_position")
def test_json_status_has_every_digit_and_is_always_english(trade):
    halt, order = volatile(), bought(BTC, at=SINCE, state="UNKNOWN")
    SyncRound.objects.create(at=SINCE)

    with override("ko"):
        report = json.loads(trade("status", "--json"))

    assert report.pop("at") > report.pop("volatility_checked_at") > ISO
    assert report["positions"][0].pop("price_seen_at") > ISO
    text = "new buys paused: KRW-BTC moved 3.4 % in 5 min, resumes after 15 calm minutes"
    assert report == {
        "state": "reducing",
        "text": text,
        "stop_losses": {"text": "Sells and stop-losses go on.", "reasons": []},
        "markets": {BTC: {"state": "reducing", "text": text}},
        "halts": [
            {
                "id": halt.pk,
                "market": BTC,
                "kind": "volatility",
                "reason": "moved 3.4 % in 5 min, limit 3 %",
                "started_at": ISO,
                "until": f"{SINCE + timedelta(minutes=15):%Y-%m-%dT%H:%M:%SZ}",
                "made_by": "check_volatility",
            }
        ],
        "synced_at": ISO,
        "account": {
            "read_at": ISO,
            "equity": "1000039",
            "krw_free": "999799",
            "krw_locked": "0",
        },
        "today": {"base": "1000000", "result": "39", "limit": "-50000"},
        "positions": [{"market": BTC, "volume": "2", "cost": "201", "price": "120", "unrealised": "39"}],
        "orders": [
            {
                "identifier": order.identifier,
                "market": BTC,
                "side": "bid",
                "state": "UNKNOWN",
                "created_at": ISO,
            }
        ],
    }


def test_account_that_was_never_read_is_null(trade):
    report = json.loads(trade("status", "--json"))

    assert (report["account"], report["today"]["base"], report["state"]) == (None, None, "active")
    assert report["synced_at"] is None


def test_several_markets_are_listed_one_by_one(trade):
    SystemConfig.objects.set_values({"markets": (BTC, "KRW-ETH"), "trading_markets": (BTC, "KRW-ETH")})
    volatile()

    lines = trade("status").splitlines()

    assert lines[2:6] == [
        "",
        "Markets",
        "  KRW-BTC: new buys paused: KRW-BTC moved 3.4 % in 5 min, resumes after 15 calm minutes",
        "  KRW-ETH: buying and selling",
    ]


@pytest.mark.parametrize(
    ("fail_on", "reducing_fails"),
    [((), False), (("--fail-on", "halted"), False), (("--fail-on", "reducing"), True)],
)
def test_state_fails_the_command_only_with_fail_on(trade, fail_on, reducing_fails):
    trade("status", *fail_on)
    volatile()
    if reducing_fails:
        with pytest.raises(CommandError, match="new buys paused") as failed:
            trade("status", *fail_on)
        assert failed.value.returncode == 1
    else:
        trade("status", *fail_on)
    halts.halt_now("lunch", "kim")
    if fail_on:
        with pytest.raises(CommandError, match="halted by kim: lunch"):
            trade("status", *fail_on)


def test_unreadable_limit_is_named(trade):
    SystemConfig.objects.filter(key="daily_loss_limit_pct").update(value="much")

    with pytest.raises(CommandError, match="daily_loss_limit_pct"):
        trade("status")


def test_halt_stops_buys_at_once_and_records_its_author(trade):
    output = trade("halt", "--reason", "odd prices", "--by", "alice")

    halt = Halt.objects.open().get()
    assert (halt.kind, halt.market, halt.reason, halt.made_by) == ("operator", "", "odd prices", "alice")
    assert output.splitlines() == [
        "Halted: no buys until an operator ends the halt.",
        "There is no position that a stop-loss could sell.",
    ]
    assert trade("status").splitlines()[0] == "halted by alice: odd prices"


@pytest.mark.django_db(transaction=True)
def test_halt_and_resume_succeed_when_the_state_cannot_be_read_afterwards(trade):
    with unreadable("scheduler_heartbeat"):
        first, second = trade("halt", "--reason", "odd prices", "--by", "alice").splitlines()[:2]
        assert Halt.objects.open().count() == 1
        ended, state = trade("resume", "--by", "alice").splitlines()[:2]

    assert first == "Halted: no buys until an operator ends the halt."
    assert second.startswith("Cannot tell whether stop-losses are sold: canceling statement due to lock")
    assert ended == "Ended: halted by alice: odd prices"
    assert state.startswith("Cannot tell what stops buys now: canceling statement due to lock")
    assert not Halt.objects.open().exists()


@pytest.mark.django_db(transaction=True)
def test_halt_that_cannot_be_written_fails(trade):
    with unreadable("halt"), pytest.raises(CommandError, match="canceling statement due to lock") as failed:
        trade("halt", "--reason", "odd prices", "--by", "alice")

    assert failed.value.returncode == 1
    assert not Halt.objects.exists()


def test_default_author_is_the_system_user_also_behind_sudo(trade, monkeypatch):
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setenv("LOGNAME", "bob")
    trade("halt", "--reason", "odd prices")
    monkeypatch.setenv("SUDO_USER", "carol")
    trade("resume")

    halt = Halt.objects.get()
    assert (halt.made_by, halt.ended_by) == ("bob", "carol")


def test_user_without_a_name_must_give_one(trade, monkeypatch):
    for name in ("SUDO_USER", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)

    with pytest.raises(CommandError, match="give one with --by"):
        trade("halt", "--reason", "odd prices")


def test_second_halt_is_refused_with_the_author_of_the_first(trade):
    halts.halt_now("lunch", "kim")

    with pytest.raises(CommandError, match="New buys are already halted by kim: lunch") as refused:
        trade("halt", "--reason", "odd prices", "--by", "alice")

    assert refused.value.returncode == 3
    assert Halt.objects.count() == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--reason", " ", "--by", "kim"), "needs a reason and a name"),
        (("--reason", "lunch", "--by", " "), "needs a reason and a name"),
        (("--reason", "x" * 501, "--by", "kim"), "reason: .*500"),
        (("--reason", "lunch", "--by", "k" * 151), "made_by: .*150"),
    ],
)
def test_invalid_halt_is_refused_with_field_and_limit(trade, arguments, why):
    with pytest.raises(CommandError, match=why):
        trade("halt", *arguments)

    assert not Halt.objects.exists()


def test_halt_without_a_reason_is_a_usage_error(trade):
    with pytest.raises(CommandError, match="--reason"):
        trade("halt")


def test_resume_ends_the_operators_halt_and_says_what_still_stops_buys(trade):
    mine, programs = halts.halt_now("lunch", "kim"), volatile()

    output = trade("resume", "--by", "alice")

    mine.refresh_from_db()
    assert mine.ended_by == "alice"
    assert list(Halt.objects.open()) == [programs]
    assert output.splitlines() == [
        "Ended: halted by kim: lunch",
        "Now: new buys paused: KRW-BTC moved 3.4 % in 5 min, resumes after 15 calm minutes",
    ]


def test_resume_succeeds_and_names_an_unreadable_limit(trade):
    halts.halt_now("lunch", "kim")
    SystemConfig.objects.filter(key="daily_loss_limit_pct").update(value="much")

    assert trade("resume", "--by", "alice").splitlines() == [
        "Ended: halted by kim: lunch",
        "Now: daily_loss_limit_pct cannot be read: nothing is bought",
    ]


def test_resume_without_a_halt_succeeds_and_switches_nothing_on(trade):
    SystemConfig.objects.set_value("trading_enabled", False)

    assert trade("resume", "--by", "alice").splitlines() == [
        "No operator's halt was open.",
        "Now: trading_enabled is off",
    ]
    assert SystemConfig.objects.get_value("trading_enabled") is False


@pytest.mark.parametrize("arguments", [("status",), ("halt", "--reason", "x", "--by", "y"), ("resume",)])
def test_command_refuses_the_other_modes_database(trade, arguments):
    DatabaseMode.objects.update(mode="live")

    with pytest.raises(CommandError, match="this database belongs to live mode"):
        trade(*arguments)

    assert not Halt.objects.exists()


def test_help_has_examples_and_no_arguments_is_a_usage_error():
    command = [sys.executable, str(ROOT / "manage.py"), "trade"]

    shown = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
    refused = subprocess.run(command, capture_output=True, text=True, check=False)

    assert '  manage.py trade halt --reason "odd prices"' in shown.stdout
    assert refused.returncode == 2
