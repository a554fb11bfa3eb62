"""Blank old texts of model calls; numbers, hashes and times stay for ever (D12)."""

from collections.abc import Mapping
from datetime import datetime
from threading import Event

from django.db import transaction

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
    blanked = 0
    while stop is None or not stop.is_set():
        with transaction.atomic(durable=True):
            batch = ModelCall.objects.filter(pk__in=old.values("pk")[:batch_rows])
            gone = batch.update(prompt="", instruction="", response="")
        blanked += gone
        if gone < batch_rows:
            break
    return {"model_call_text": blanked}
