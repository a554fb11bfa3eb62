"""Prices on the status page."""

from datetime import timedelta

import pytest
from django.template.loader import render_to_string
from django.utils import timezone, translation

from sysconfig.models import SystemConfig
from tests.marketdata.feed import record_price, watched
from tradingsite.marketdata import panel

pytestmark = pytest.mark.django_db


def text() -> str:
    with translation.override("en"):
        return " ".join(render_to_string("status/prices.html", panel.prices()).split())


def test_panel_shows_price_age_and_move_of_each_configured_market():
    SystemConfig.objects.set_value("markets", "KRW-BTC,KRW-ETH,KRW-XRP")
    now = timezone.now()
    watched("KRW-BTC", "148000000", "148601000", at=now)
    record_price("KRW-ETH", "0.0000123", now - timedelta(hours=2))

    shown = text()

    assert shown.index("KRW-BTC") < shown.index("KRW-ETH") < shown.index("KRW-XRP")
    assert "148,601,000" in shown
    assert "0.41 %" in shown
    assert "0.0000123" in shown
    assert "limit 30 s" in shown
    assert "no price yet" in shown
