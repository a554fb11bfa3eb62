"""Everything about one order for its admin page, from the signal's inputs to its last fill, by time."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django_stubs_ext import StrOrPromise

from tradingsite.orders.models import Order
from tradingsite.strategy.models import ModelCall, TradingSignal


@dataclass(frozen=True, slots=True)
class Moment:
    what: StrOrPromise
    at: datetime
    after_ms: int | None


def chain(order: Order) -> dict[str, Any]:
    """Return the template context of the order's page; `signal` and `call` are None for a stop-loss."""
    signal = order.signal
    call = signal.call if signal else None
    return {
        "order": order,
        "signal": signal,
        "call": call,
        "inputs": _pretty(signal.inputs) if signal else "",
        "config": _pretty(signal.config) if signal else "",
        "moments": list(_with_intervals(_moments(order, signal, call))),
        "events": [(event, _pretty(event.evidence)) for event in order.events.all()],
        "fills": list(order.fills.all()),
    }


def _moments(
    order: Order, signal: TradingSignal | None, call: ModelCall | None
) -> Iterator[tuple[str, datetime | None]]:
    if signal:
        yield _("tick"), signal.tick
        yield _("newest input"), signal.as_of
        yield _("decision stored"), signal.created_at
    if call:
        yield _("model asked"), call.started_at
        yield _("model answered"), call.ended_at
    yield _("order stored"), order.created_at
    yield _("order sent"), order.submitted_at
    traded = [fill.traded_at for fill in order.fills.all()]
    yield _("first fill"), min(traded, default=None)
    yield _("last fill"), max(traded, default=None)
    yield _("order ended"), order.ended_at


def _with_intervals(moments: Iterator[tuple[str, datetime | None]]) -> Iterator[Moment]:
    before: datetime | None = None
    for what, at in sorted(((what, at) for what, at in moments if at), key=lambda moment: moment[1]):
        yield Moment(what, at, None if before is None else round((at - before).total_seconds() * 1000))
        before = at


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) if value else ""
