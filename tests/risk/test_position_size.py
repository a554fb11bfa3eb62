"""Size of a buy: by confidence, then clamped by each limit (V13, V14)."""

import random
from decimal import Decimal
from itertools import pairwise

import pytest

from tests.risk.decisions import BUY, Decision
from tradingsite.risk import position_size


def funds(decision):
    verdict = decision.verdict
    assert verdict.allowed, (verdict.reason, verdict.text)
    return verdict.funds


@pytest.mark.parametrize(
    ("confidence", "expected"),
    [("0.6", 100_000), ("0.7", 150_000), ("0.8", 200_000), ("0.9", 250_000), ("1", 300_000)],
)
def test_size_grows_linearly_from_the_minimum_confidence_to_one(confidence, expected):
    assert funds(BUY.but(confidence=Decimal(confidence))) == expected


def test_minimum_confidence_of_one_gives_the_maximum_size():
    assert funds(BUY.but(confidence=Decimal(1), min_confidence=Decimal(1))) == 300_000


def test_total_is_rounded_down_to_whole_won():
    assert funds(BUY.but(equity=Decimal("9999999.99"))) == 199_999


def clamps(decision):
    return [(clamp.limit, clamp.before, clamp.after) for clamp in decision.verdict.clamps]


def test_exposure_limit_clamps_the_size():
    decision = BUY.but(exposure=Decimal(2_900_000))

    assert clamps(decision) == [("max_exposure_pct", 200_000, 100_000)]
    assert funds(decision) == 100_000


def test_size_that_just_fits_the_exposure_is_not_clamped():
    assert clamps(BUY.but(exposure=Decimal(2_800_000))) == []


@pytest.mark.parametrize("exposure", [3_000_000, 3_500_000])
def test_full_exposure_denies_a_buy(exposure):
    verdict = BUY.but(exposure=Decimal(exposure)).verdict

    assert verdict.reason == "exposure_full"
    assert verdict.funds == 0
    assert "up to 30 % of equity" in verdict.text


def test_free_balance_clamp_leaves_room_for_the_fee():
    decision = BUY.but(krw_free=Decimal(100_050))

    assert clamps(decision) == [("free_balance", 200_000, 100_000)]
    assert funds(decision) == 100_000
    assert funds(BUY.but(krw_free=Decimal(200_100))) == 200_000
    assert funds(BUY.but(krw_free=Decimal("200099.99"))) == 199_999


def test_no_free_balance_denies_a_buy():
    assert BUY.but(krw_free=Decimal(0)).verdict.reason == "no_free_balance"


def test_maximum_total_of_the_exchange_clamps_the_size():
    decision = BUY.but(max_total=Decimal(50_000))

    assert clamps(decision) == [("max_total", 200_000, 50_000)]
    assert funds(decision) == 50_000


def test_clamps_apply_one_after_another():
    decision = BUY.but(exposure=Decimal(2_850_000), krw_free=Decimal(100_050), max_total=Decimal(50_000))

    assert clamps(decision) == [
        ("max_exposure_pct", 200_000, 150_000),
        ("free_balance", 150_000, 100_000),
        ("max_total", 100_000, 50_000),
    ]


def test_size_too_small_to_sell_after_a_stop_loss_is_denied():
    # 5000 / 0.95 * 1.1 = 5789.47…
    assert position_size.min_buy(BUY.terms, BUY.limits).quantize(Decimal("0.01")) == Decimal("5789.47")
    assert funds(BUY.but(max_total=Decimal(5790))) == 5790

    verdict = BUY.but(max_total=Decimal(5789)).verdict

    assert verdict.reason == "too_small_to_sell"
    assert verdict.funds == 5789
    assert verdict.text == "5789 KRW; below 5789.47 KRW it could not be sold after a stop-loss"


def test_account_without_equity_is_denied():
    verdict = BUY.but(equity=Decimal(-5), exposure=Decimal(-5)).verdict

    assert "no_size" in [check.name for check in verdict.checks if not check.passed]
    assert verdict.funds == 0


def test_no_allowed_buy_ever_exceeds_a_limit():
    lots = random.Random(20260105)  # noqa: S311 - the same lots in every run
    allowed = 0
    for _ in range(3000):
        decision = BUY.but(
            equity=_amount(lots, 9),
            krw_free=_amount(lots, 9),
            exposure=_amount(lots, 8),
            confidence=Decimal(lots.randint(5000, 10_000)) / 10_000,
            bid_fee=Decimal(lots.randint(0, 25)) / 10_000,
            max_total=_amount(lots, 9),
            position_size_min_pct=Decimal(lots.randint(0, 50)),
            position_size_max_pct=Decimal(lots.randint(50, 100)),
            max_exposure_pct=Decimal(lots.randint(0, 100)),
            stop_loss_pct=Decimal(lots.randint(1, 500)) / 10,
        )
        if decision.verdict.allowed:
            allowed += 1
            _holds(decision)
    assert 300 < allowed < 2900  # both kinds were seen


def _amount(lots: random.Random, digits: int) -> Decimal:
    return Decimal(lots.randint(0, 10 ** lots.randint(3, digits + 16))).scaleb(-lots.randint(0, 16))


def _holds(decision: Decision) -> None:
    account, terms, limits = decision.account, decision.terms, decision.limits
    total = funds(decision)
    assert total == total.to_integral_value() > 0
    assert total * (1 + terms.bid_fee) <= account.krw_free
    assert account.exposure + total <= account.equity * limits.max_exposure_pct / 100
    assert total <= account.equity * limits.position_size_max_pct / 100
    assert total <= terms.max_total
    falls_to = total * (1 - limits.stop_loss_pct / 100)
    assert falls_to >= terms.min_total
    clamped = decision.verdict.clamps
    assert all(clamp.after < clamp.before for clamp in clamped)
    assert all(one.after == two.before for one, two in pairwise(clamped))
