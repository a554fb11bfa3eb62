"""What was answered survives whatever ends the process (E20-E22)."""

import json
import os
import re
import select
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests

from tests.sandbox.account import Account, error
from tests.sandbox.conftest import NOON
from tests.sandbox.desk import PLENTY, Desk, StillVenue, offers
from tests.sandbox.limits import GENEROUS
from tradingsite.sandbox.exchange.journal import Journal, StateFileError
from tradingsite.sandbox.exchange.state import ExchangeState
from tradingsite.sandbox.options import Options
from tradingsite.sandbox.server import SandboxServer

ROOT = Path(__file__).parents[3]


@pytest.fixture
def state_file(tmp_path):
    return tmp_path / "state" / "exchange.json"


@pytest.fixture
def book():
    return StillVenue(asks=offers(("1000000", PLENTY)), bids=offers(("999000", PLENTY)))


def served(state_file, clock, **options):
    return SandboxServer(clock=clock, options=Options(limits=GENEROUS, **options), state_file=state_file)


def test_restarted_server_keeps_orders_balances_and_nonces(state_file, clock):
    with served(state_file, clock) as server:
        account = Account(server.url)
        account.buy("1000000", identifier="filled")
        clock.now_s += 1
        account.limit("bid", account.best()[0] - 20_000_000, "0.01", identifier="resting")
        account.buy("1", identifier="refused")
        used = account.get("/v1/accounts")
        before = (used.json(), account.order(identifier="filled"), account.order(identifier="resting"))
        posts = server.exchange.posts
    assert stat.S_IMODE(state_file.stat().st_mode) == 0o600

    with served(state_file, clock) as server:
        account = Account(server.url)
        token = {"Authorization": used.request.headers["Authorization"]}
        assert error(requests.get(f"{server.url}/v1/accounts", headers=token, timeout=30)) == (
            401,
            "nonce_used",
        )
        accounts = account.get("/v1/accounts").json()
        assert (accounts, account.order(identifier="filled"), account.order(identifier="resting")) == before
        for name in ("filled", "resting", "refused"):
            assert error(account.buy(identifier=name)) == (400, "duplicate_identifier")
        assert server.exchange.posts[:3] == posts
        assert account.delete(identifier="resting").status_code == 200
        clock.now_s += 1
        assert account.balances()["KRW"][1] == 0


def test_order_due_while_the_server_is_down_fills_at_its_time(state_file, clock):
    with served(state_file, clock) as server:
        Account(server.url).buy("1000000", identifier="a")
    clock.now_s += 0.3
    with served(state_file, clock) as server:
        soon = Account(server.url).order(identifier="a")["trades"]
    alone = state_file.with_name("other.json")
    with served(alone, NOON.timestamp) as server:
        Account(server.url).buy("1000000", identifier="a")
    clock.now_s += 86_400
    with served(alone, clock, fill_after_ms=5) as server:
        late = Account(server.url).order(identifier="a")["trades"]

    assert [{**trade, "uuid": ""} for trade in soon] == [{**trade, "uuid": ""} for trade in late]
    assert soon


def test_server_without_a_state_file_starts_empty(clock):
    for _ in range(2):
        with SandboxServer(clock=clock) as server:
            assert Account(server.url).buy(identifier="again").status_code == 201


def test_unfinished_last_line_is_dropped(state_file, book):
    desk = Desk(book, state_file)
    desk.buy("5000", identifier="a")
    desk.wait()
    kept = desk.exchange.orders()
    desk.exchange.close()
    whole = state_file.read_bytes()

    for cut in (b'{"orders":{"x":{"uu', b'{"purses":{}}'):
        state_file.write_bytes(whole + cut)
        desk = Desk(book, state_file)
        assert desk.exchange.orders() == kept
        desk.buy("5000")  # the next record starts on a new line
        assert len(desk.exchange.orders()) == 2
        desk.exchange.close()


@pytest.mark.parametrize(
    "damage", [b"nonsense\n", b'{"orders":{"x":{}}}\n', b'{"purses":{"KRW":{"a":1}}}\n', b"7\n"]
)
def test_damaged_state_file_is_refused_and_left_unchanged(state_file, damage):
    state_file.parent.mkdir()
    state_file.write_bytes(damage)

    with pytest.raises(StateFileError, match=f"{state_file.name} is damaged"):
        SandboxServer(state_file=state_file)
    assert state_file.read_bytes() == damage


def test_state_file_is_locked_by_one_sandbox(state_file):
    with (
        SandboxServer(state_file=state_file),
        pytest.raises(StateFileError, match="another sandbox uses the state file"),
    ):
        SandboxServer(state_file=state_file)
    SandboxServer(state_file=state_file).close()


def test_closed_exchange_aborts_the_connection(state_file, book):
    desk = Desk(book, state_file)
    desk.exchange.close()
    with pytest.raises(ConnectionAbortedError):
        desk.buy("5000")


def test_long_state_file_is_compacted_without_loss(state_file, book, monkeypatch):
    monkeypatch.setattr("tradingsite.sandbox.exchange.journal._LINES_BEFORE_REWRITE", 10)
    desk = Desk(book, state_file)
    sizes = []
    for _ in range(60):
        desk.buy("5000")
        desk.wait()
        sizes.append(len(state_file.read_text().splitlines()))
    kept, purses = desk.exchange.orders(), desk.exchange.balances()
    desk.exchange.close()
    desk = Desk(book, state_file)

    assert max(sizes) < 80  # an order a line, and up to ten more
    assert (desk.exchange.orders(), desk.exchange.balances()) == (kept, purses)


def test_failed_write_leaves_no_partial_line(tmp_path):
    journal = Journal(tmp_path / "state.json", lambda: [{"all": 1}])
    journal.open()
    journal.rewrite()
    whole = (tmp_path / "state.json").read_bytes()
    limit_file_size = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))"
    journal.close()
    code = f"""
import signal, sys
from pathlib import Path
from tradingsite.sandbox.exchange.journal import Journal
journal = Journal(Path({str(tmp_path / "state.json")!r}), lambda: [{{"all": 1}}])
journal.open(); journal.rewrite()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
{limit_file_size}
try:
    journal.append({{"long": "x" * 100}}, durable=True)
except OSError:
    sys.exit(7)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)

    assert done.returncode == 7
    assert (tmp_path / "state.json").read_bytes() == whole


def test_each_post_appends_one_short_line_however_many_orders_exist(state_file, book):
    desk = Desk(book, state_file)
    grown = []
    for _ in range(300):
        before = state_file.stat().st_size
        desk.buy("5000")
        grown.append(state_file.stat().st_size - before)
        desk.wait()
    assert max(grown) < 2_000


class Process:
    """`manage.py sandbox` on a state file."""

    def __init__(self, state_file: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "sandbox", "--port", "0", "--state", str(state_file)],
            cwd=ROOT,
            env={**os.environ, "LOG_FORMAT": "json"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout
        assert select.select([self.process.stdout], [], [], 60)[0], "nothing was printed"
        [url] = re.findall(r"http://127\.0\.0\.1:\d+", self.process.stdout.readline())
        self.account = Account(url)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


def post_until_killed(process, name, answered):
    """Buy again and again from one thread; put what was answered with 201 into `answered`."""
    try:
        for number in range(1000):
            answer = process.account.buy("5000", identifier=f"{name}-{number}")
            if answer.status_code == 201:
                answered[f"{name}-{number}"] = answer.json()["uuid"]
    except (requests.RequestException, ValueError):
        return  # killed; this order may or may not have arrived


def test_sigkill_loses_no_answered_order(state_file):
    answered: dict[str, str] = {}
    for round_number in range(2):
        process = Process(state_file)
        threads = [
            threading.Thread(target=post_until_killed, args=(process, f"r{round_number}t{number}", answered))
            for number in range(3)
        ]
        for thread in threads:
            thread.start()
        enough = len(answered) + 8
        while len(answered) < enough:
            threads[0].join(0.005)
        process.kill()
        for thread in threads:
            thread.join()

    with served(state_file, time.time) as server:
        account = Account(server.url)
        found = {
            order["identifier"]: order["uuid"]
            for states in ("open", "closed")
            for order in account.get(f"/v1/orders/{states}", {"limit": 100}).json()
        }
        assert answered.items() <= found.items()
        assert len(found) - len(answered) <= 6  # at most one unanswered a thread and round
        first = next(iter(answered))
        assert error(account.buy(identifier=first)) == (400, "duplicate_identifier")
    records = [json.loads(line) for line in state_file.read_text().splitlines()]
    posted = {post[1] for record in records for post in record.get("posts", ())}
    assert found.keys() <= posted


def test_unusable_state_file_path_is_named(tmp_path):
    (tmp_path / "a").write_text("a file, not a folder")
    with pytest.raises(StateFileError, match=r"cannot use the state file .*/a/b\.json"):
        SandboxServer(state_file=tmp_path / "a" / "b.json")


def test_oldest_of_20000_nonces_is_forgotten():
    state = ExchangeState(None)
    assert all(state.use_nonce(str(number)) for number in range(20_001))

    assert not state.use_nonce("1")
    assert state.use_nonce("0")
