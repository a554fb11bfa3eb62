"""One client in many threads, and in a forked child."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from tests.clients import samples
from tests.clients.peer import Reply


def test_many_threads_use_one_client(peer, make_client):
    peer.script(Reply(body=samples.array(samples.TICKER)))
    client, together = make_client(retries=1), threading.Barrier(12)

    def ask(_: int) -> int:
        together.wait()
        return sum(len(client.tickers(["KRW-BTC"], within_s=1000)) for _ in range(5))

    with ThreadPoolExecutor(12) as pool:
        counts = list(pool.map(ask, range(12)))

    assert counts == [5] * 12
    assert len(peer.asked) == 60
    assert len({asked.connection for asked in peer.asked}) == 12


FORK = """
import os, sys
from tradingsite.clients.upbit.client import UpbitClient

client = UpbitClient(sys.argv[1])
client.markets()
child = os.fork()
client.markets()
client.markets()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_has_connections_of_its_own(peer):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORK, peer.url],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert len(peer.asked) == 5
    assert len({asked.connection for asked in peer.asked}) == 2


IMPORT = """
import sys, threading
import tradingsite.clients.upbit, tradingsite.clients.gemini
assert threading.active_count() == 1
assert not {"django", "google.generativeai", "grpc"} & sys.modules.keys()
"""


def test_importing_the_clients_starts_nothing_and_loads_no_sdk():
    done = subprocess.run(
        [sys.executable, "-c", IMPORT], capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
