"""Health probe of the orders: reports stuck, missing, lost and external ones (docs/positions.md P11)."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils.translation import gettext_noop

from healthcheck.report import Finding
from tradingsite.orders.models import ACTIVE_STATES

OLD_AFTER = timedelta(minutes=15)
"""Three rounds of the reconciliation, which runs every five minutes."""
UNKNOWN_LIMIT = timedelta(minutes=20)
"""The reconciliation should have resolved it by then: three lookups within ten minutes."""
ANSWER_LIMIT = timedelta(minutes=2)
"""By then a BUY or SELL signal has its order, or a denied one that says why not."""
EXTERNAL_SHOWN_FOR = timedelta(hours=1)
"""External activity stays a warning for this long, because the next round follows within minutes."""
DECISIONS_CHECKED = timedelta(days=1)
"""Older signals without an order are ignored: they will never get one."""


@dataclass(frozen=True, slots=True)
class _Facts:
    external: list[dict[str, str]]
    any: bool
    active: int
    old: int
    long_unknown: int
    lost: int
    decisions: int
    to_trade: int
    unanswered: int


def recent_order() -> Finding:
    """Judge orders and signals by the database's clock, and recent reconciliations by what they found."""
    facts = _facts()
    if facts.long_unknown:
        text = gettext_noop("orders unknown for over %(limit)s min: %(n)s; look them up at Upbit")
        return Finding("unhealthy", text, n=facts.long_unknown, limit=_minutes(UNKNOWN_LIMIT))
    return _warning(facts) or _healthy(facts)


def _warning(facts: _Facts) -> Finding | None:
    if facts.unanswered:
        text = gettext_noop("decisions to buy or sell without an order and without a reason: %(n)s")
        return Finding("warning", text, n=facts.unanswered)
    if facts.lost:
        text = gettext_noop("orders that never arrived: %(n)s; acknowledge them in admin")
        return Finding("warning", text, n=facts.lost)
    if facts.old:
        text = gettext_noop("active orders older than %(limit)s min: %(old)s of %(active)s")
        return Finding("warning", text, old=facts.old, active=facts.active, limit=_minutes(OLD_AFTER))
    if facts.external:
        text = gettext_noop("not caused by the trader: %(n)s, first: %(what)s")
        return Finding("warning", text, n=len(facts.external), what=facts.external[0]["text"])
    return None


def _healthy(facts: _Facts) -> Finding:
    if facts.active:
        text = gettext_noop("active orders: %(active)s, none older than %(limit)s min")
        return Finding("healthy", text, active=facts.active, limit=_minutes(OLD_AFTER))
    if facts.decisions and not facts.to_trade:
        return Finding("healthy", gettext_noop("no order, because every decision in 24 h was HOLD"))
    return Finding("healthy", gettext_noop("no active order") if facts.any else gettext_noop("no order yet"))


def _facts() -> _Facts:
    limits: dict[str, Any] = {
        "active": ACTIVE_STATES,
        "old": OLD_AFTER,
        "unclear": UNKNOWN_LIMIT,
        "answer": ANSWER_LIMIT,
        "sought": DECISIONS_CHECKED,
        "shown_for": EXTERNAL_SHOWN_FOR,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, limits)
        external, *counts = cursor.fetchone()
        return _Facts(json.loads(external or "[]"), *counts)


def _minutes(span: timedelta) -> int:
    return int(span / timedelta(minutes=1))


_FACTS = """
SELECT (
           SELECT jsonb_agg(DISTINCT found)
           FROM sync_round, jsonb_array_elements(strangers) AS found WHERE at > now() - %(shown_for)s
       ),
       EXISTS (SELECT FROM trading_order), pending.*, decided.*
FROM (
    SELECT count(*) FILTER (WHERE state = ANY(%(active)s)),
           count(*) FILTER (WHERE state = ANY(%(active)s) AND created_at < now() - %(old)s),
           count(*) FILTER (WHERE state = 'UNKNOWN' AND created_at < now() - %(unclear)s),
           count(*) FILTER (WHERE state = 'LOST')
    FROM trading_order
    WHERE state = ANY(%(active)s) OR (state = 'LOST' AND acknowledged_at IS NULL)
) AS pending
CROSS JOIN (
    SELECT count(*),
           count(*) FILTER (WHERE decision <> 'HOLD'),
           count(*) FILTER (
               WHERE decision <> 'HOLD' AND made.created_at < now() - %(answer)s AND answer.id IS NULL
           )
    FROM trading_signal AS made LEFT JOIN trading_order AS answer ON answer.signal_id = made.id
    WHERE made.created_at > now() - %(sought)s
) AS decided
"""
