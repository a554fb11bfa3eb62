"""Deletes or blanks many rows in short transactions, so that no other process waits long for their locks."""

from collections.abc import Callable
from threading import Event
from typing import Any

from django.db import models, transaction

BATCH_ROWS = 5_000
"""Holds locks for about 50 ms."""


def delete_in_batches(
    rows: models.QuerySet[Any], *, batch_rows: int = BATCH_ROWS, stop: Event | None = None
) -> int:
    """Delete `rows` and return how many were deleted. Protected rows raise, as with Django's `delete`."""

    def delete(batch: models.QuerySet[Any]) -> int:
        _, by_model = batch.delete()
        return by_model.get(rows.model._meta.label, 0)  # noqa: SLF001 - documented

    return in_batches(rows, delete, batch_rows=batch_rows, stop=stop)


def in_batches(
    rows: models.QuerySet[Any],
    change: Callable[[models.QuerySet[Any]], int],
    *,
    batch_rows: int,
    stop: Event | None = None,
) -> int:
    """Call `change` for each batch of `rows`, in its own short transaction; return how many rows it changed.

    Raises RuntimeError inside a transaction, which would make one long transaction of all batches.

    Args:
        rows: of one table, ordered by an index; otherwise each batch scans the table.
        change: changes the rows of a batch, so that `rows` no longer selects them, and returns how many.
        batch_rows: at most this many rows in a transaction.
        stop: ends the work between two batches.
    """
    changed = 0
    while stop is None or not stop.is_set():
        batch = rows.model._base_manager.filter(pk__in=rows.values("pk")[:batch_rows])  # noqa: SLF001 - documented
        with transaction.atomic(durable=True):
            count = change(batch)
        changed += count
        if count < batch_rows:
            break
    return changed
