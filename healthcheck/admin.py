"""What staff see of health in admin."""

from healthcheck.alert_admin import AlertAdmin

__all__ = ["AlertAdmin"]
