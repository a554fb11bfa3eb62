"""A chaos run: traders are killed at random points, the exchange fails and crashes, the database crashes."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import requests

from tests.chaos.audit import violations
from tests.chaos.trader import MARKETS
from tests.jobs.processes import ROOT, DatabaseServer

FAULTS = (
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "429"},
    {"kind": "429_text"},
    {"kind": "500"},
    {"kind": "500", "after": True},
    {"kind": "503"},
    {"kind": "malformed_json"},
    {"kind": "latency", "seconds": 0.5},
)
ENDPOINTS = (("POST", "/v1/orders"), ("POST", "/v1/orders"), ("GET", "/v1/order"), ("GET", "/v1/accounts"))
TRADERS = 2
REPORT_EVERY_S = 10
CONFIG = {
    "markets": ",".join(MARKETS),
    "trading_markets": ",".join(MARKETS[:5]),
    "position_size_min_pct": "0.2",
    "position_size_max_pct": "1",
    "max_exposure_pct": "100",
    "daily_loss_limit_pct": "50",
    "stop_loss_pct": "0.1",
    "max_price_move_pct": "10",
    "signal_validity_min": "60",
}


@dataclass
class Report:
    """The faults of one run, the orders after it, and the violations."""

    seconds: float
    events: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    orders_on_the_exchange: int = 0
    wrong: list[str] = field(default_factory=list)

    def too_few(self) -> list[str]:
        """Return the events that happened less often than a run of this length must cause."""
        least = {
            "posts": self.seconds / 4,
            "kills of a trader": self.seconds / 8,
            "orders that went UNKNOWN": self.seconds / 30,
            "restarts of the exchange": 1,
            "restarts of the database": 1,
        }
        return [
            f"{name}: {self.events[name]}, at least {most:g} expected"
            for name, most in least.items()
            if self.events[name] < most
        ]

    def text(self) -> str:
        """Return the report as text."""
        lines = [
            f"order chaos, {self.seconds:g} s",
            *(f"  {name:<28} {count}" for name, count in sorted(self.events.items())),
            "our orders",
            *(f"  {state:<28} {count}" for state, count in sorted(self.states.items())),
            f"orders on the exchange         {self.orders_on_the_exchange}",
            f"violations                     {len(self.wrong)}",
            *(f"  {line}" for line in self.wrong[:20]),
        ]
        return "\n".join(lines)


class ChaosRun:
    """One run. `close` ends every process that it has started."""

    def __init__(self, folder: Path, *, seed: int, variant: str = "") -> None:
        self.rng = random.Random(seed)  # noqa: S311 - not for secrets
        self.events: Counter[str] = Counter()
        self.db_server = DatabaseServer(folder)
        port = _free_port()
        self.sandbox_url = f"http://127.0.0.1:{port}"
        self.env = {
            **self.db_server.env,
            "DJANGO_SETTINGS_MODULE": "tradingsite.settings",
            "VAR_DIR": str(folder),
            "SANDBOX_PORT": str(port),
            "LOG_LEVEL": "ERROR",
            "CHAOS_EPOCH": datetime.now(UTC).isoformat(),
            "CHAOS_SEED": str(seed),
            "CHAOS_VARIANT": variant,
        }
        for key, value in CONFIG.items():
            self.db_server.query(
                "INSERT INTO system_config (key, value, created_at, updated_at) VALUES (%s, %s, now(), now())"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                key, value,
            )  # fmt: skip
        self.processes: list[subprocess.Popen[str]] = []
        self.sandbox = self._start_sandbox()
        self.traders: dict[int, int] = {}
        self.parents = [
            self._start("-m", "tests.chaos.trader", stdout=subprocess.PIPE) for _ in range(TRADERS)
        ]
        for number, parent in enumerate(self.parents):
            threading.Thread(target=self._read_traders, args=(number, parent), daemon=True).start()

    def inject_faults(self, seconds: float) -> None:
        """Cause random faults for `seconds`, then end the traders and restart the exchange without faults."""
        until, report_at = time.monotonic() + seconds, 0.0
        while (now := time.monotonic()) < until:
            if now >= report_at:
                report_at = now + REPORT_EVERY_S
                sys.stderr.write(f"  {until - now:3.0f} s left, {sum(self.events.values())} faults so far\n")
            time.sleep(self.rng.uniform(0.05, 0.6))
            self.rng.choices(
                [
                    self.kill_trader,
                    self.add_fault,
                    self.fill_half,
                    self.restart_sandbox,
                    self.restart_database,
                ],
                weights=[30, 40, 5, 3, 2],
            )[0]()
        for parent in self.parents:
            parent.terminate()
        for _ in self.parents:
            self.kill_trader()
        for parent in self.parents:
            parent.wait(60)
        self.sandbox.kill()
        self.sandbox.wait(60)
        self.sandbox = self._start_sandbox()  # without its faults, with its orders

    def audit(self, seconds: float) -> Report:
        """Reconcile three times and compare."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.chaos.aftermath"],
            cwd=ROOT, env=self.env, stdout=subprocess.PIPE, check=True, text=True, timeout=120,
        )  # fmt: skip
        ours = json.loads(done.stdout.splitlines()[-1])
        numbers = ("executed_volume", "executed_funds", "paid_fee")
        rows = [{**row, **{name: Decimal(row[name]) for name in numbers}} for row in ours["rows"]]
        positions = {market: Decimal(volume) for market, volume in ours["positions"].items()}
        exchange = self._ask("GET", "/sandbox/exchange").json()
        return Report(
            seconds=seconds,
            events=self.events
            + Counter(
                {
                    "intents": len(rows),
                    "posts": len(exchange["posts"]),
                    "orders that went UNKNOWN": ours["went_unknown"],
                }
            ),
            states=Counter(f"{row['state']} {row['reason'].split(':')[0][:24]}" for row in rows),
            orders_on_the_exchange=len(exchange["orders"]),
            wrong=violations(exchange, rows, positions),
        )

    def close(self) -> None:
        """End everything."""
        for child in self.traders.values():
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait(60)
        self.db_server.stop()

    def kill_trader(self) -> None:
        """Send SIGKILL to one trader, so that no handler and no `finally` runs."""
        if not self.traders:
            return
        number = self.rng.choice(sorted(self.traders))
        try:
            os.kill(self.traders.pop(number), signal.SIGKILL)
        except ProcessLookupError:
            return  # it is being replaced
        self.events["kills of a trader"] += 1

    def add_fault(self) -> None:
        """Make the exchange fail one of the next requests."""
        fault = self.rng.choice(FAULTS)
        method, path = self.rng.choice(ENDPOINTS)
        nth = self.rng.randint(1, 2)
        self._ask("POST", "/sandbox/faults", json={**fault, "method": method, "path": path, "nth": nth})
        self.events[f"fault {fault['kind']}"] += 1

    def fill_half(self) -> None:
        """Let the next order be filled by half and then cancelled."""
        self._ask("POST", "/sandbox/faults", json={"kind": "partial_then_cancel"})
        self.events["fault partial_then_cancel"] += 1

    def restart_sandbox(self) -> None:
        """SIGKILL the exchange and start it again with its state."""
        self.sandbox.kill()
        self.sandbox.wait(60)
        self.sandbox = self._start_sandbox()
        self.events["restarts of the exchange"] += 1

    def restart_database(self) -> None:
        """Crash the database server; it recovers from its log."""
        self.db_server.stop("immediate")
        self.db_server.start()
        self.events["restarts of the database"] += 1

    def _start(self, *command: str, **streams) -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=self.env, text=True, **streams)
        self.processes.append(process)
        return process

    def _start_sandbox(self) -> subprocess.Popen[str]:
        process = self._start("manage.py", "sandbox", stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                requests.get(self.sandbox_url, timeout=10)
            except requests.RequestException:
                time.sleep(0.05)
            else:
                return process
        raise TimeoutError("the sandbox does not answer")

    def _read_traders(self, number: int, parent: subprocess.Popen[str]) -> None:
        for line in parent.stdout:
            self.traders[number] = int(line)

    def _ask(self, method: str, path: str, **body) -> requests.Response:
        answer = requests.request(method, self.sandbox_url + path, timeout=60, **body)
        answer.raise_for_status()
        return answer


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
