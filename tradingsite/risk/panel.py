"""What the status page shows of the halts."""

from tradingsite.risk.models import Halt

ENDED_SHOWN = 5


def halts() -> dict[str, object]:
    """Return the open halts, an operator's first, and the last that ended; two queries.

    Words are found when shown.
    """
    return {
        "open": list(Halt.objects.open().order_by("market", "-started_at")),
        "ended": list(Halt.objects.exclude(ended_at=None).order_by("-ended_at")[:ENDED_SHOWN]),
    }
