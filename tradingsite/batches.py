"""Delete or blank many rows in short transactions, so that no other process waits for their locks."""

from collections.abc import Callable
from threading import Event
from typing import Any

from django.db import models, transaction

BATCH_ROWS = 5_000
"""About 50 ms of locks a batch."""


def delete_in_batches(
    rows: models.QuerySet[Any], *, batch_rows: int = BATCH_ROWS, stop: Event | None = None
) -> int:
    """Delete `rows`; return how many went. What protects a row from deletion still does."""

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
    """Call `change` with `rows`, each batch in a short transaction of its own; return how many it changed.

    Must not be called inside a transaction: that would make one long one of it (`durable` refuses).

    Args:
        rows: of one table, ordered by an index, else each batch searches them anew.
        change: returns how many of the batch it changed; a changed row is no longer among `rows`.
        batch_rows: at most so many rows a transaction.
        stop: checked between batches.
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
