from django.utils import timezone

from sysconfig.models import SystemConfig
from tradingsite.marketdata.windows import read_windows


def prices() -> dict[str, object]:
    """Return one `Window` for each configured market. It finds its words when it is shown."""
    return {"windows": read_windows(SystemConfig.objects.get_value("markets"), timezone.now())}
