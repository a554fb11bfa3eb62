"""What staff see of health in admin."""

from healthcheck.alert_admin import AlertAdmin
from healthcheck.override_admin import HealthOverrideAdmin

__all__ = ["AlertAdmin", "HealthOverrideAdmin"]
