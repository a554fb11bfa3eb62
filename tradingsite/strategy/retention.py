"""Blanks old texts of model calls, for the job `cleanup_old_data`; numbers, hashes and times stay for ever.

Rules: docs/signals.md D12.
"""

from collections.abc import Mapping
from datetime import datetime
from threading import Event

from tradingsite.batches import in_batches
from tradingsite.strategy.calls import ModelCall

BATCH_ROWS = 1_000
"""A row is a few kB."""


def blank_before(
    cutoff: datetime, *, batch_rows: int = BATCH_ROWS, stop: Event | None = None
) -> Mapping[str, int]:
    """Blank prompt, instruction and answer of calls started before `cutoff`; return how many.

    Each batch is its own transaction. If `stop` is set, the rest waits for the next run.
    """
    old = ModelCall.objects.filter(started_at__lt=cutoff).exclude(prompt="").order_by("started_at")
    blanked = in_batches(
        old,
        lambda batch: batch.update(prompt="", instruction="", response=""),
        batch_rows=batch_rows,
        stop=stop,
    )
    return {"model_call_text": blanked}
