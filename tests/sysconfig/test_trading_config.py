"""The trader's keys, against the table that operators were promised."""

import re
import runpy
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils import translation

from sysconfig import registry
from sysconfig.models import SystemConfig
from sysconfig.registry import InvalidConfigValue
from tradingsite import trading_config

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"

PROMISED = {
    "trading_enabled": (True, None),
    "markets": (("KRW-BTC",), (1, 300)),
    "trading_markets": (("KRW-BTC",), (1, 5)),
    "volatility_threshold_pct": (Decimal("3.0"), (Decimal("0.1"), 50)),
    "volatility_cooldown_min": (15, (1, 1440)),
    "stop_loss_pct": (Decimal("5.0"), (Decimal("0.1"), 50)),
    "daily_loss_limit_pct": (Decimal("5.0"), (Decimal("0.1"), 50)),
    "position_size_min_pct": (Decimal("1.0"), (0, 100)),
    "position_size_max_pct": (Decimal("3.0"), (0, 100)),
    "max_exposure_pct": (Decimal("30.0"), (0, 100)),
    "max_price_move_pct": (Decimal("1.0"), (Decimal("0.1"), 10)),
    "ai_model": ("gemini-3.5-flash-lite", (1, 100)),
    "ai_min_confidence": (Decimal("0.6"), (0, 1)),
    "ai_daily_call_limit": (100, (0, 10000)),
    "signal_validity_min": (10, (1, 60)),
    "market_data_retention_days": (365, (1, 3650)),
    "job_history_retention_days": (30, (1, 3650)),
    "ai_text_retention_days": (90, (1, 3650)),
    "health_history_retention_days": (90, (1, 3650)),
}


def test_the_keys_have_the_promised_defaults_and_limits():
    assert {key.name: (key.default, key.limits) for key in trading_config.KEYS} == PROMISED
    assert {key.name: type(key.default) for key in trading_config.KEYS} == {
        name: type(default) for name, (default, _limits) in PROMISED.items()
    }


def test_the_project_registers_them():
    assert set(trading_config.KEYS) <= set(registry.registered())
    assert set(trading_config.RULES) <= set(registry.rules())


def test_each_key_has_help_group_and_unit():
    for key in trading_config.KEYS:
        assert key.help
        assert key.group
        assert key.unit or key is trading_config.TRADING_ENABLED


@pytest.mark.parametrize(("mode", "enabled"), [("sandbox", True), ("live", False)])
def test_trading_starts_enabled_in_sandbox_and_disabled_in_live(settings, mode, enabled):
    settings.TRADING_MODE = mode

    assert runpy.run_path(trading_config.__file__)["TRADING_ENABLED"].default is enabled


RISKIER = {
    "position_size_min_pct": "higher",
    "position_size_max_pct": "higher",
    "volatility_threshold_pct": "higher",
    "stop_loss_pct": "higher",
    "daily_loss_limit_pct": "higher",
    "max_exposure_pct": "higher",
    "max_price_move_pct": "higher",
    "signal_validity_min": "higher",
    "ai_daily_call_limit": "higher",
    "ai_min_confidence": "lower",
    "volatility_cooldown_min": "lower",
    "trading_markets": "added",
}


def test_each_limit_knows_its_risky_direction():
    assert {key.name: key.riskier for key in trading_config.KEYS if key.riskier} == RISKIER


@pytest.mark.parametrize(("mode", "riskier"), [("sandbox", ""), ("live", "higher")])
def test_switching_trading_on_is_a_risk_in_live_mode(settings, mode, riskier):
    settings.TRADING_MODE = mode

    assert runpy.run_path(trading_config.__file__)["TRADING_ENABLED"].riskier == riskier


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("markets", "BTC", "must be Upbit market codes such as KRW-BTC"),
        ("markets", "krw-btc", "must be Upbit market codes such as KRW-BTC"),
        ("trading_markets", "BTC-ETH", "must be KRW market codes such as KRW-BTC"),
        ("trading_markets", "", "must have between 1 and 5 entries"),
        ("trading_markets", "KRW-A,KRW-B,KRW-C,KRW-D,KRW-E,KRW-F", "must have between 1 and 5 entries"),
        ("trading_markets", "KRW-ETH", r"trading_markets \(KRW-ETH\) must all be among markets \(KRW-BTC\)"),
        ("markets", "KRW-ETH", r"trading_markets \(KRW-BTC\) must all be among markets \(KRW-ETH\)"),
        ("position_size_min_pct", "3.5", r"position_size_min_pct \(3.5\) must not exceed .* \(3.0\)"),
        ("position_size_max_pct", "0.5", r"position_size_min_pct \(1.0\) must not exceed .* \(0.5\)"),
        ("ai_model", " ", "must have between 1 and 100 characters"),
    ],
)
def test_senseless_values_are_refused(key, value, rule):
    with pytest.raises(InvalidConfigValue, match=rule):
        SystemConfig.objects.set_value(key, value)


@pytest.mark.django_db
def test_a_snapshot_has_every_key_typed():
    snapshot = SystemConfig.objects.snapshot()

    assert {key.name: snapshot[key] for key in trading_config.KEYS} == {
        name: default for name, (default, _limits) in PROMISED.items()
    }


def documented():
    """Return the cells of each row of the table under "Config keys", by key."""
    section = PAGE.read_text().split("\n## Config keys\n")[1].split("\n##")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines()]
    return {row[0].strip("`"): row[1:] for row in cells if re.fullmatch(r"`[a-z_]+`", row[0])}


_RISKIER = {"": "", "higher": "higher", "lower": "lower", "added": "a market more"}


def expected(key):
    limits = f"{key.limits[0]}\N{EN DASH}{key.limits[1]}" if key.limits else ""
    default = f"`{key.format(key.default)}`"
    if key is trading_config.TRADING_ENABLED:
        default = "`true` in sandbox mode, `false` in live mode"
    riskier = "`true`, in live mode" if key is trading_config.TRADING_ENABLED else _RISKIER[key.riskier]
    counted = {"list": " entries", "text": " characters"}.get(key.value_type.name, "")
    return [key.value_type.name, str(key.unit), limits + counted, default, riskier, str(key.help)]


def test_the_page_lists_each_key_with_type_unit_limits_default_riskier_direction_and_meaning():
    with translation.override("en"):
        assert documented() == {key.name: expected(key) for key in trading_config.KEYS}
