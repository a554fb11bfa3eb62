"""One client in many threads, and in a forked child."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from tests.clients import samples
from tests.clients.peer import Reply


def test_each_thread_of_one_client_has_its_own_connection(peer, make_client):
    peer.script(Reply(body=samples.array(samples.TICKER)))
    client, barrier = make_client(retries=1), threading.Barrier(12)

    def read_tickers(_: int) -> int:
        barrier.wait()
        return sum(len(client.tickers(["KRW-BTC"], within_s=1000)) for _ in range(5))

    with ThreadPoolExecutor(12) as pool:
        counts = list(pool.map(read_tickers, range(12)))

    assert counts == [5] * 12
    assert len(peer.requests) == 60
    assert len({request.connection for request in peer.requests}) == 12


FORK = """
import os, sys
from tradingsite.clients.upbit.client import UpbitClient

client = UpbitClient(sys.argv[1], read_timeout_s=60, wall_clock_s=60)
client.markets()
child = os.fork()
client.markets()
client.markets()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_forked_child_opens_its_own_connection(peer):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORK, peer.url],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert len(peer.requests) == 5
    assert len({request.connection for request in peer.requests}) == 2


IMPORT = """
import sys, threading
import tradingsite.clients.upbit, tradingsite.clients.gemini
assert threading.active_count() == 1
assert not {"django", "google.generativeai", "grpc"} & sys.modules.keys()
"""


def test_importing_the_clients_starts_no_thread_and_loads_no_sdk():
    done = subprocess.run(
        [sys.executable, "-c", IMPORT], capture_output=True, text=True, timeout=120, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
