"""Halts on the status page."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from tests.marketdata.feed import NOON
from tradingsite.risk import halts, panel
from tradingsite.risk.models import Halt

pytestmark = pytest.mark.django_db

BTC = "KRW-BTC"


def text() -> str:
    with translation.override("en"):
        return " ".join(render_to_string("status/halts.html", panel.halts()).split())


def volatile(**facts) -> Halt:
    return Halt.objects.create(
        kind="volatility",
        market=BTC,
        reason="-",
        started_at=NOON,
        until=NOON + timedelta(minutes=15),
        made_by="check_volatility",
        move_pct=Decimal("3.4567"),
        threshold_pct=Decimal("3.0000"),
        **facts,
    )


def test_panel_without_halts_has_only_the_halt_link():
    assert "Halt now" in text()
    assert "<li" not in text()


def test_open_halts_are_shown_with_operator_halts_first():
    volatile()
    Halt.objects.create(
        kind="unknown", market=BTC, reason="-", started_at=NOON, made_by="x", polls=3, seen_age_s=9
    )
    halts.halt_now("exchange <odd>", "kim")

    shown = text()

    assert "moved 3.46 % in 5 min, limit 3 %" in shown
    assert "3 of 30 polls in 5 min, 24 needed" in shown
    assert "exchange &lt;odd&gt;" in shown
    assert "kim" in shown
    assert "2026-01-05T12:15:05" in shown
    assert shown.lower().index("all markets") < shown.lower().index(BTC.lower())


def test_last_five_ended_halts_are_shown_newest_first():
    ended = [volatile(ended_at=NOON + timedelta(minutes=minute)) for minute in range(6)]

    assert panel.halts() == {"open": [], "ended": ended[:0:-1]}
    assert "2026-01-05T12:05:05" in text()
