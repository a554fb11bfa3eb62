"""What the status page shows of the halts."""

from sysconfig.models import SystemConfig
from sysconfig.registry import UnreadableConfig
from tradingsite.risk.models import Halt

ENDED_SHOWN = 5


def halts() -> dict[str, object]:
    """Return the switch, the open halts, an operator's first, and the last that ended.

    `trading_enabled` is None when it cannot be read: nobody trades then. Words are found when shown.
    """
    return {
        "trading_enabled": _trading_enabled(),
        "open": list(Halt.objects.open().order_by("market", "-started_at")),
        "ended": list(Halt.objects.exclude(ended_at=None).order_by("-ended_at")[:ENDED_SHOWN]),
    }


def _trading_enabled() -> bool | None:
    try:
        return bool(SystemConfig.objects.get_value("trading_enabled"))
    except UnreadableConfig:
        return None
