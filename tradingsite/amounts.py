"""Formats prices, volumes and amounts of money as text."""

from decimal import Decimal


def exact(number: Decimal) -> str:
    """Return all digits, without trailing zeros.

    >>> exact(Decimal("0.5999")), exact(Decimal("60.00")), exact(Decimal("1E-8")), exact(Decimal("1E+3"))
    ('0.5999', '60', '0.00000001', '1000')
    """
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def grouped(number: Decimal) -> str:
    """Return all digits, without trailing zeros, with commas between thousands.

    >>> grouped(Decimal("143210000.00000000")), grouped(Decimal("0.00070000"))
    ('143,210,000', '0.0007')
    """
    return f"{number.normalize():,f}"


def short(number: Decimal) -> str:
    """Return at most two decimals, unless they would all be zero.

    >>> short(Decimal("5500.10")), short(Decimal("0.00000001")), short(Decimal("1E+3"))
    ('5500.1', '0.00000001', '1000')
    """
    return exact(round(number, 2) or number)


def whole_won(amount: Decimal) -> str:
    """Return an amount of won rounded to a whole number.

    >>> whole_won(Decimal("-1234567.891"))
    '-1,234,568'
    """
    return f"{amount:,.0f}"


def won_with_decimals(amount: Decimal) -> str:
    """Return an amount of won rounded to two decimals.

    >>> won_with_decimals(Decimal("-1234567.891"))
    '-1,234,567.89'
    """
    return f"{amount:,.2f}"
