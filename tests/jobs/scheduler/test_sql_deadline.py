"""A run's deadline, carried into HTTP and SQL (docs/scheduler.md R12)."""

import re
import threading
import time
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from tests.clients.peer import LONG_TIMEOUT_S, Peer
from tests.jobs.conftest import COMMITTED, at
from tests.jobs.runs import COLLECT, job_of, runner_of, state
from tradingsite.clients.deadline import Deadline, overall_deadline, overall_left_s
from tradingsite.clients.errors import TimedOut
from tradingsite.clients.gemini.client import GeminiClient
from tradingsite.clients.gemini.failures import ModelFailure
from tradingsite.clients.gemini.generation import GeminiModel, GenerationRequest
from tradingsite.clients.gemini.sdk import _package
from tradingsite.clients.upbit.client import UpbitClient
from tradingsite.clients.upbit.exchange import UpbitExchange
from tradingsite.jobs import fence
from tradingsite.jobs.scheduler import sql_deadline
from tradingsite.sandbox.options import ACCESS_KEY, GEMINI_KEY, SECRET_KEY

pytestmark = COMMITTED


def query(statement, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchone()[0]


def limit():
    return query("SHOW statement_timeout")


def test_result_after_the_deadline_is_a_failure(metrics):
    def body(_tick):
        threading.Event().wait(0.15)
        return {"done": 1}

    runner_of(job_of(body, deadline_s=0.1)).run_tick(COLLECT, at(10))

    (line,) = metrics()
    assert re.fullmatch(r"deadline exceeded: it took \d+\.\d\d s, limit 0\.1 s", line["error"])
    assert (line["success"], state().last_success, state().last_success_at) == (False, False, None)
    assert state().last_counts == {"done": 1}


def test_error_after_the_deadline_is_reported_with_it(metrics):
    def body(_tick):
        threading.Event().wait(0.15)
        raise ValueError("broken" + "x" * 600)

    runner_of(job_of(body, deadline_s=0.1)).run_tick(COLLECT, at(10))

    (line,) = metrics()
    assert "deadline exceeded" in line["error"]
    assert "; ValueError: brokenxxx" in line["error"]
    assert len(line["error"]) == 500


REQUEST = GenerationRequest("gemini-3.5-flash-lite", "i", "t", {"type": "OBJECT"})
CALLS = {
    "prices": lambda url: UpbitClient(url).tickers(["KRW-BTC"]),
    "account": lambda url: UpbitExchange(url, ACCESS_KEY, SECRET_KEY).accounts(),
    "model's metadata": lambda url: GeminiClient(url, GEMINI_KEY).model("gemini-3.5-flash-lite"),
    "model": lambda url: GeminiModel(url, GEMINI_KEY).generate(REQUEST),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_http_call_ends_at_the_runs_deadline(call):
    _package()  # the first import of the vendor's package is slow
    release = threading.Event()
    with Peer().running() as peer:
        peer.script(lambda _handler: release.wait(LONG_TIMEOUT_S))
        began = time.monotonic()
        with sql_deadline.bound(0.3), pytest.raises((TimedOut, ModelFailure), match=r"within 0\.|in time"):
            call(peer.url)
        took_s = time.monotonic() - began
        release.set()

    assert took_s < 30  # the model's own limit is 45 s; the error of the others names the run's


def test_call_outside_a_run_has_its_own_deadline():
    assert Deadline.of_call(45).within_s == 45
    assert overall_left_s() == float("inf")
    with overall_deadline(Deadline(3)):
        assert 2 < Deadline.of_call(45).within_s <= 3
        assert Deadline.of_call(1).within_s == 1


def test_statement_ends_within_one_and_a_half_deadlines():
    began = time.monotonic()
    with sql_deadline.bound(0.5), pytest.raises(OperationalError, match="statement timeout"):
        query("SELECT pg_sleep(60)")

    assert time.monotonic() - began < 12  # the session's own limit is 15 s
    assert query("SELECT 1") == 1


@pytest.mark.parametrize(("within_s", "is_set"), [(8, True), (9.9, True), (20, False), (120, False)])
def test_limit_is_set_only_if_the_sessions_own_is_too_long(within_s, is_set):
    with sql_deadline.bound(within_s):
        assert (limit() != "15s") is is_set


def test_sessions_own_limit_is_back_after_the_run():
    with sql_deadline.bound(2):
        assert limit() != "15s"

    assert limit() == "15s"


def test_connection_returned_during_a_run_has_its_own_limit_again():
    with sql_deadline.bound(2):
        assert limit() != "15s"
        wrapper: Any = connection
        pool, raw = wrapper.pool, wrapper.connection
        connection.close()
        assert raw in pool._pool
        assert raw.execute("SHOW statement_timeout").fetchone() == ("15s",)
        assert limit() != "15s"


def test_limit_is_set_again_after_a_rollback():
    with sql_deadline.bound(2):
        with transaction.atomic():
            assert limit() != "15s"
            transaction.set_rollback(True)
        assert limit() != "15s"

    with sql_deadline.bound(2), transaction.atomic():
        assert limit() != "15s"
    assert limit() == "15s"


def test_broken_transaction_raises_its_own_error():
    with sql_deadline.bound(2), pytest.raises(Exception, match="division by zero"), transaction.atomic():
        query("SELECT 1/0")
    assert limit() == "15s"


def test_result_can_be_written_after_the_deadline():
    with sql_deadline.bound(0.01) as until:
        threading.Event().wait(0.02)
        assert until.left_s() < 0
        assert query("SELECT 1") == 1
        assert limit() == "1s"


def test_order_without_time_for_its_answer_is_not_sent():
    allowed = []

    def body(_tick):
        allowed.append(fence.may_post())
        return {}

    runner_of(job_of(body, deadline_s=8.5)).run_tick(COLLECT, at(10))
    runner_of(job_of(body, deadline_s=7.9)).run_tick(COLLECT, at(20))

    assert allowed == [True, False]
