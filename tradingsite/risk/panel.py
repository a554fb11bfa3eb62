"""The status page's panel of halts."""

from tradingsite.risk.models import Halt

ENDED_SHOWN = 5


def halts() -> dict[str, object]:
    """Return the open halts, an operator's first, and the last ended ones, with two queries.

    Their texts are translated when displayed.
    """
    return {
        "open": list(Halt.objects.open().order_by("market", "-started_at")),
        "ended": list(Halt.objects.exclude(ended_at=None).order_by("-ended_at")[:ENDED_SHOWN]),
    }
