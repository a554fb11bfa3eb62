"""Rules 18 to 22 under real faults: old values are read for a lease and a second at most, then push is back.

The same is done to the cache without what guards against each fault (`variants.py`): that must be found out.
"""

import time

import pytest

from tests.sysconfig.processes import faults
from tests.sysconfig.processes.house import Reader
from tests.sysconfig.processes.stress import stressed

PERIOD_S = 0.2
BOUND_S = faults.bound_s(PERIOD_S)
ANTI_ENTROPY_S = 0.3
BUSY_S = 10.0  # how late a comparison may be on a busy machine
LONG_S = 100.0  # a period of which nothing is due within a test: what is seen was pushed
STRESS_READS = 30_000  # by each of two threads
STRESSES = 40  # at most: about one in three has a race

pytestmark = pytest.mark.django_db  # its migrations are read


@pytest.fixture(scope="module")
def process(db_server):
    """A reader that survives every fault."""
    started = Reader(db_server, PERIOD_S)
    yield started
    started.close()


@pytest.mark.parametrize("fault", [faults.terminated, faults.swallowed, faults.unlistened, faults.restarted])
def test_a_lost_session_serves_old_values_for_a_lease_at_most(db_server, process, fault):
    assert fault(db_server, process, PERIOD_S).stale_s <= BOUND_S
    faults.wait_for_push(db_server, process)


def test_a_session_that_lost_its_channels_while_connecting_is_replaced(db_server, reader):
    process = reader(PERIOD_S, variant="unlistened_while_connecting")

    assert faults.calm(db_server, process, PERIOD_S).stale_s <= BOUND_S
    faults.wait_for_push(db_server, process)


@pytest.mark.parametrize("stop_s", [0.5 * PERIOD_S, 4 * PERIOD_S])
def test_a_stopped_process_serves_old_values_for_a_lease_at_most(db_server, process, stop_s):
    assert faults.stopped(db_server, process, stop_s, PERIOD_S).stale_s <= BOUND_S
    faults.wait_for_push(db_server, process)


def test_without_a_lease_a_silent_network_is_never_noticed(db_server, reader):
    started_s = time.monotonic()
    process = reader(PERIOD_S, variant="without_lease")
    faults.settle(db_server, process)
    # An answer that is lost would end the session, which reads anew.
    db_server.proxy.wait_until_quiet(1.0, since_s=started_s)
    before = str(db_server.value)
    db_server.proxy.swallow()
    try:
        _, committed_s = db_server.edit()

        assert process.reads_at(committed_s + BOUND_S) == before
    finally:
        db_server.proxy.heal()


def test_a_change_without_its_trigger_is_found_by_comparing(db_server, reader):
    process = reader(LONG_S, ANTI_ENTROPY_S)
    assert faults.silenced(db_server, process, ANTI_ENTROPY_S).stale_s <= ANTI_ENTROPY_S + BUSY_S

    invalidations = process.report()["invalidations"]
    assert (invalidations["anti_entropy"], invalidations["notify"]) == (1, 0)


def test_without_comparing_a_change_without_its_trigger_is_not_found(db_server, reader):
    process = reader(LONG_S, ANTI_ENTROPY_S, variant="without_comparison")
    before = str(db_server.value)
    faults.edit_silently(db_server)
    for _ in range(2):  # the first may have been due before the change
        process.until(event="skipped")

    assert process.report()["reads"] == before


def fork(process):
    process.command("fork")
    child = process.until(event="child")["pid"]
    assert child != process.pid
    return child


def test_a_forked_child_and_its_parent_both_see_a_change(db_server, reader):
    process = reader(LONG_S)
    child = fork(process)
    for pid in (process.pid, child, process.pid):
        value, _ = db_server.edit()
        process.seen(value, pid=pid)
    assert process.report(child)["listener_alive"]


def test_a_child_that_keeps_its_parents_values_never_sees_a_change(db_server, reader):
    process = reader(LONG_S, variant="without_fork_reset")
    before, child = str(db_server.value), fork(process)
    value, _ = db_server.edit()
    process.seen(value)

    report = process.report(child)
    assert (report["reads"], report["listener_alive"]) == (before, False)


def change_between(db_server, process):
    """Change the value between the two steps of a connect, after the process read the old one."""
    faults.terminate_session(db_server, process)
    process.until(event="between")
    assert process.report()["reads"] == str(db_server.value)
    value, _ = db_server.edit()
    process.command("go")
    return value


def test_a_change_made_while_connecting_is_read(db_server, reader):
    process = reader(LONG_S, variant="pausing_between")

    process.seen(change_between(db_server, process))


def test_emptying_the_cache_before_listening_misses_a_change(db_server, reader):
    process = reader(LONG_S, variant="forgetting_before_listening")
    before = str(db_server.value)
    change_between(db_server, process)
    while process.report()["reconnects"] == 0:  # until a heartbeat came back: it listens
        pass

    assert process.report()["reads"] == before


def test_no_read_is_older_than_what_another_process_announced(db_server, process):
    discarded = 0
    for _ in range(STRESSES):
        counted = stressed(db_server, process, STRESS_READS)
        assert counted["stale"] == 0
        discarded += counted["discarded"]
        if discarded:
            break

    assert discarded > 0  # the race did happen


def test_the_same_stress_finds_stale_reads_where_an_overtaken_load_is_stored(db_server, reader):
    process = reader(PERIOD_S, variant="storing_what_was_overtaken")

    assert any(stressed(db_server, process, STRESS_READS)["stale"] for _ in range(STRESSES))
