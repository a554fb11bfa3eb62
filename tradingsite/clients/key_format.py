"""Whether an API key can be sent: the libraries below show the value of a header that they refuse."""

import re

_KEY = re.compile(r"[!-~]+")  # printable ASCII without a space


def why_unusable(key: str) -> str:
    """Return what is wrong with the form of `key`, without showing it; empty when it can be sent."""
    if not key:
        return "no API key is set"
    return "" if _KEY.fullmatch(key) else "the API key has characters that no key has"
