"""Texts of old calls are blanked; numbers and hashes are kept."""

from datetime import timedelta
from threading import Event

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.strategy.market import MARKET, TICK
from tradingsite.strategy.models import ModelCall
from tradingsite.strategy.retention import blank_before


def calls(count: int) -> None:
    ModelCall.objects.bulk_create(
        ModelCall(
            market=MARKET,
            tick=TICK,
            started_at=TICK + timedelta(seconds=number),
            model_asked="gemini-3.5-flash-lite",
            instruction="advise",
            prompt="{}",
            prompt_sha256="a" * 64,
            response="BUY",
            response_sha256="b" * 64,
            prompt_tokens=3000,
        )
        for number in range(count)
    )


@pytest.mark.django_db
def test_only_texts_of_calls_before_the_cutoff_are_blanked():
    calls(3)

    assert blank_before(TICK + timedelta(seconds=2)) == {"model_call_text": 2}

    old, _, young = ModelCall.objects.order_by("started_at")
    assert (old.prompt, old.instruction, old.response) == ("", "", "")
    assert (old.prompt_sha256, old.response_sha256, old.prompt_tokens) == ("a" * 64, "b" * 64, 3000)
    assert (young.prompt, young.response) == ("{}", "BUY")
    assert blank_before(TICK + timedelta(seconds=2)) == {"model_call_text": 0}


@pytest.mark.django_db
def test_texts_are_blanked_in_batches():
    calls(5)

    with CaptureQueriesContext(connection) as queries:
        blanked = blank_before(TICK + timedelta(days=1), batch_rows=2)

    assert blanked == {"model_call_text": 5}
    assert sum("UPDATE" in query["sql"] for query in queries) == 3


@pytest.mark.django_db(transaction=True)
def test_each_batch_has_its_own_transaction():
    calls(1)

    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        blank_before(TICK + timedelta(days=1))


@pytest.mark.django_db
def test_stop_leaves_the_rest_for_the_next_run():
    calls(1)
    stop = Event()
    stop.set()

    assert blank_before(TICK + timedelta(days=1), stop=stop) == {"model_call_text": 0}
