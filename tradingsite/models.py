"""The trading mode that a database belongs to. Real trades and sandbox trades never share a database."""

from django.db import models


class DatabaseMode(models.Model):
    """A single row, written by the first `migrate` and never changed."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    mode = models.CharField(max_length=7, choices=[("sandbox", "sandbox"), ("live", "live")])
    stamped_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "database_mode"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_database_mode")]

    def __str__(self) -> str:
        return self.mode
