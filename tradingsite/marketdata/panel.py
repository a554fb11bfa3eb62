"""The status page's panel of prices."""

from django.utils import timezone

from sysconfig.models import SystemConfig
from tradingsite.marketdata.windows import read_windows


def prices() -> dict[str, object]:
    """Return one `Window` per configured market, for the status page."""
    return {"windows": read_windows(SystemConfig.objects.get_value("markets"), timezone.now())}
