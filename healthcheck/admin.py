"""What staff see of health in admin."""

from healthcheck.override_admin import HealthOverrideAdmin

__all__ = ["HealthOverrideAdmin"]
