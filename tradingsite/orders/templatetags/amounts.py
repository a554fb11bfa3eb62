"""Template filters for amounts, without the trailing zeros of database columns."""

from datetime import datetime, timedelta
from decimal import Decimal

from django import template

from tradingsite import amounts

register = template.Library()


@register.filter
def plain(amount: Decimal | None) -> str:
    """Return a price or volume with all its digits; "" for None.

    >>> plain(Decimal("143210000.00000000")), plain(Decimal("0.00070000")), plain(None)
    ('143,210,000', '0.0007', '')
    """
    return "" if amount is None else amounts.grouped(amount)


@register.filter
def whole_won(amount: Decimal | None) -> str:
    """Return an amount of won without decimals; "" for None."""
    return "" if amount is None else amounts.whole_won(amount)


@register.filter
def age(moment: datetime, now: datetime) -> timedelta:
    return now - moment
