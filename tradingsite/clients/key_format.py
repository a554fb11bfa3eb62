"""Checks whether an API key can be sent as a header.

The HTTP libraries would refuse one that cannot, and show it in their error text.
"""

import re

_KEY = re.compile(r"[!-~]+")  # printable ASCII without a space


def key_problem(key: str) -> str:
    """Return what is wrong with the form of `key`, without showing it; "" if it can be sent."""
    if not key:
        return "no API key is set"
    return "" if _KEY.fullmatch(key) else "the API key has characters that no key has"
