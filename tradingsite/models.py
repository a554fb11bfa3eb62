"""Which mode a database belongs to. A database of real trades is never mixed with one of rehearsals."""

from django.db import models


class DatabaseMode(models.Model):
    """The one row that the first `migrate` writes; it is never changed."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    mode = models.CharField(max_length=7, choices=[("sandbox", "sandbox"), ("live", "live")])
    stamped_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "database_mode"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_database_mode")]

    def __str__(self) -> str:
        return self.mode
