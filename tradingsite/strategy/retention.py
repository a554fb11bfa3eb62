"""Blank old texts of model calls; numbers, hashes and times stay for ever (D12)."""

from collections.abc import Mapping
from datetime import datetime
from threading import Event

from tradingsite.batches import in_batches
from tradingsite.strategy.calls import ModelCall

BATCH_ROWS = 1_000
"""A few kB a row."""


def blank_before(
    cutoff: datetime, *, batch_rows: int = BATCH_ROWS, stop: Event | None = None
) -> Mapping[str, int]:
    """Blank the prompt, instruction and answer of calls begun before `cutoff`; return how many were.

    Each batch is a transaction of its own. When `stop` is set the rest waits for the next run.
    """
    old = ModelCall.objects.filter(started_at__lt=cutoff).exclude(prompt="").order_by("started_at")
    blanked = in_batches(
        old,
        lambda batch: batch.update(prompt="", instruction="", response=""),
        batch_rows=batch_rows,
        stop=stop,
    )
    return {"model_call_text": blanked}
