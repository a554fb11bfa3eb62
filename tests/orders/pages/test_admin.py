"""Orders in admin: the whole chain on one page, positions, acknowledging lost orders."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone

from tests.marketdata.feed import record_price
from tests.orders.trades import bought, sold
from tests.orders.venue import NOON
from tradingsite.orders.models import AccountReading, Order, OrderEvent, SyncRound, TradingDay
from tradingsite.strategy.models import ModelCall, TradingSignal

pytestmark = pytest.mark.django_db
LIST = "admin:orders_order_changelist"
PAGE = "admin:orders_order_change"


def text_of(client, name, *args, **query):
    response = client.get(reverse(name, args=args), query)
    assert response.status_code == 200
    content = response.content.decode()
    assert "style=" not in content
    assert "onclick=" not in content
    return content


@pytest.fixture
def order():
    """A buy from the model call to the fills."""
    call = ModelCall.objects.create(
        market="KRW-BTC",
        tick=NOON,
        started_at=NOON + timedelta(seconds=1),
        ended_at=NOON + timedelta(seconds=3, milliseconds=250),
        model_asked="gemini-x",
        model_answered="gemini-x-001",
        prompt='{"rsi": "the prompt"}',
        response='{"decision": "the answer"}',
    )
    signal = TradingSignal.objects.create(
        market="KRW-BTC",
        tick=NOON,
        as_of=NOON,
        created_at=NOON + timedelta(seconds=4),
        decision="BUY",
        confidence=Decimal("0.83"),
        price=150_000_000,
        reasoning="because <it> rises",
        inputs={"rsi_14": "71.5"},
        config={"stop_loss_pct": "5.0"},
        call=call,
    )
    made = bought(
        "KRW-BTC",
        (150_000_000, "0.001"),
        (150_100_000, "0.002"),
        at=NOON + timedelta(seconds=5),
        signal=signal,
        checks=[{"name": "low_confidence", "passed": True, "text": "confidence 0.83, at least 0.6"}],
        clamps=[{"limit": "max_exposure_pct", "before": "500000", "after": "450200"}],
    )
    OrderEvent.objects.create(
        order=made,
        at=NOON + timedelta(seconds=6),
        what="moved",
        state_before="SUBMITTING",
        state_after="OPEN",
        evidence={"status": 201},
    )
    return made


def test_order_page_shows_the_whole_chain_in_order(admin_client, order):
    page = text_of(admin_client, PAGE, order.pk)

    chain = [
        "2250",  # the model's time, ms
        "rsi_14",
        "stop_loss_pct",
        "the prompt",
        "the answer",
        "confidence 0.83, at least 0.6",
        "max_exposure_pct",
        "field-identifier",
        "&quot;status&quot;: 201",
        "150100000.00000000",
    ]
    places = [page.index(each) for each in chain]
    assert places == sorted(places)
    assert "because &lt;it&gt; rises" in page


def test_signal_and_order_link_to_each_other(admin_client, order):
    of_order = reverse(PAGE, args=[order.pk])
    of_signal = reverse("admin:strategy_tradingsignal_change", args=[order.signal.pk])

    assert of_signal in text_of(admin_client, PAGE, order.pk)
    assert of_signal in text_of(admin_client, LIST)
    assert of_order in text_of(admin_client, "admin:strategy_tradingsignal_change", order.signal.pk)


def test_stop_loss_order_page_says_it_has_no_signal(admin_client):
    order = sold("KRW-BTC", (150_000_000, "0.001"), at=NOON)

    assert "without the model" in text_of(admin_client, PAGE, order.pk)
    assert "stop-loss" in text_of(admin_client, LIST)


def test_order_without_a_model_call_has_a_page_and_a_missing_order_redirects(admin_client):
    order = bought("KRW-BTC", at=NOON, state="DENIED", reason="halted")

    assert "halted" in text_of(admin_client, PAGE, order.pk)
    assert admin_client.get(reverse(PAGE, args=[order.pk + 1])).status_code == 302


def test_positions_page_shows_holdings_dust_and_results(admin_client):
    now = timezone.now()
    bought("KRW-BTC", (100_000_000, "0.01"), fee=500, at=now)
    sold("KRW-BTC", (110_000_000, "0.004"), fee=220, at=now + timedelta(seconds=2))
    bought("KRW-XRP", ("0.5", 100), at=now)
    bought("KRW-ETH", (5_000_000, 1), at=now)
    bought("KRW-SOL", (200_000, 1), at=now)
    sold("KRW-SOL", (210_000, 3), at=now + timedelta(seconds=2))
    for market, price in (("KRW-BTC", 120_000_000), ("KRW-XRP", "0.51"), ("KRW-SOL", 1)):
        record_price(market, str(price), now - timedelta(seconds=3))

    page = text_of(admin_client, "admin:orders_positions")

    assert page.index("KRW-ETH") < page.index("KRW-SOL"), "sold-out markets come last"
    for text in (
        "0.006",
        "100,050,000.00",
        "600,300.00",
        "720,000.00",
        "119,700.00",  # unrealised
        "39,580.00",  # realised: 440,000 - 220 - 400,200
        "0.50000000",
        "dust: too little to be sold",
        "no price is stored",
        "2 sold that were never bought",
        "49,580.00",  # all markets
    ):
        assert text in page


def test_orders_link_to_the_positions_page(admin_client):
    assert reverse("admin:orders_positions") in text_of(admin_client, LIST)
    assert "nothing was traded yet" in text_of(admin_client, "admin:orders_positions")


@pytest.fixture
def viewer(client):
    user = User.objects.create_user("lee", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(user)
    return client


def test_positions_page_requires_permission_to_view_orders(client, viewer):
    assert "nothing" in text_of(viewer, "admin:orders_positions")
    client.force_login(User.objects.create_user("kim", is_staff=True))
    assert client.get(reverse("admin:orders_positions")).status_code == 403
    client.logout()
    assert client.get(reverse("admin:orders_positions")).status_code == 302


def acknowledge(client, *orders):
    chosen = {"action": "acknowledge", "_selected_action": [order.pk for order in orders]}
    return client.post(reverse(LIST), chosen, follow=True).content.decode()


def test_acknowledging_a_lost_order_is_recorded_once(admin_client):
    lost = bought("KRW-BTC", at=NOON, state="LOST")
    done = bought("KRW-BTC", (100, 1), at=NOON)

    assert "1 lost order acknowledged." in acknowledge(admin_client, lost, done)
    assert "0 lost orders acknowledged." in acknowledge(admin_client, lost, done)

    lost.refresh_from_db()
    done.refresh_from_db()
    assert (lost.state, lost.acknowledged_by) == ("LOST", "admin")
    assert lost.acknowledged_at is not None
    assert done.acknowledged_at is None
    assert [entry.object_id for entry in LogEntry.objects.all()] == [str(lost.pk)]


def test_viewer_cannot_acknowledge(viewer):
    lost = bought("KRW-BTC", at=NOON, state="LOST")

    assert "acknowledged." not in acknowledge(viewer, lost)
    assert Order.objects.get().acknowledged_at is None


def test_readings_days_and_rounds_are_listed_in_admin(admin_client):
    reading = {"krw_free": 5, "krw_locked": 0, "coins": {"BTC": ["1", "0"]}, "equity": 123456}
    AccountReading.objects.create(read_at=NOON, **reading)
    TradingDay.objects.create(day=NOON.date(), base_equity=987654, based_at=NOON)
    SyncRound.objects.create(at=NOON, strangers=[{"text": "something moved"}, {"text": "something else"}])

    assert "123456" in text_of(admin_client, "admin:orders_accountreading_changelist").replace(",", "")
    assert "987654" in text_of(admin_client, "admin:orders_tradingday_changelist").replace(",", "")
    rounds = text_of(admin_client, "admin:orders_syncround_changelist")
    assert "something moved; something else" in rounds
