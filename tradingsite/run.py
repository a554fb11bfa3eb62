"""`make run`: database, sandbox, scheduler and web from the Procfile, and one line that says where to look.

Ctrl-C, SIGTERM or a closed terminal stop all of it within five seconds, PostgreSQL included.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import honcho.manager
from honcho.environ import expand_processes, parse_procfile
from honcho.printer import Message, Printer

from tradingsite import logs
from tradingsite.demo import OPERATOR, demo_password
from tradingsite.env import BASE_DIR, Environment, InvalidEnvironment, environment

ANNOUNCE_WITHIN_S = 60
STOP_WITHIN_S = 4  # then SIGKILL, so that the whole stop stays under five seconds


class Output(Printer):  # type: ignore[misc]  # honcho has no types
    """Prefixes lines with their process, except JSON lines, which stay as they are for a parser."""

    def write(self, message: Message) -> None:
        data = message.data
        text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
        if text.startswith("{"):
            sys.stdout.write(text)
            sys.stdout.flush()
        else:
            super().write(message)


class Manager(honcho.manager.Manager):  # type: ignore[misc]  # honcho has no types
    """Starts the announcing thread only once all children are forked: a fork beside threads may hang."""

    def __init__(self, env: Environment) -> None:
        super().__init__(Output(sys.stdout, colour=sys.stdout.isatty()))
        self._env = env

    def _start(self) -> None:
        super()._start()
        threading.Thread(target=announce, args=(self._env,), name="announce", daemon=True).start()


def main() -> int:
    """Run everything until a signal comes; return the exit code."""
    try:
        env = environment()
    except InvalidEnvironment as error:
        return _fail(str(error))
    sandbox = env.trading_mode == "sandbox"
    for variable, port in [("PORT", env.port), *([("SANDBOX_PORT", env.sandbox_port)] if sandbox else [])]:
        if port and _taken(env.host if variable == "PORT" else "127.0.0.1", port):
            return _fail(
                f"Port {port} is taken. Stop what listens there, or choose another: "
                f"{variable}={port + 1} make run"
            )
    child_env = {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "LOG_FORMAT": logs.chosen_format(env.log_format),  # their stderr is a pipe, ours may be a terminal
        "SCHEDULER_GRACE_S": str(min(env.scheduler_grace_s, STOP_WITHIN_S - 1)),
    }
    prepared = subprocess.run(
        [sys.executable, "manage.py", "prepare"], cwd=BASE_DIR, env=child_env, check=False
    )
    if prepared.returncode:
        return prepared.returncode
    honcho.manager.KILL_WAIT = STOP_WITHIN_S
    manager = Manager(env)
    procfile = parse_procfile((BASE_DIR / "Procfile").read_text())
    for process in expand_processes(procfile.processes):
        if sandbox or process.name != "sandbox":
            manager.add_process(
                process.name, process.cmd, env={**child_env, **process.env}, cwd=str(BASE_DIR)
            )
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    manager.loop()
    return manager.returncode or 0


def announce(env: Environment) -> None:
    """Wait until everything answers, then print the address and the demo login."""
    url = f"http://{'127.0.0.1' if env.host == '0.0.0.0' else env.host}:{env.port}"  # noqa: S104 - compared, not bound
    token = env.health_token.get_secret_value() if env.health_token else ""
    deadline = time.monotonic() + ANNOUNCE_WITHIN_S
    while waiting_for := _not_answering(url, token):
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    lines = ["", f"  Status   {url}/status/", f"  Admin    {url}/admin/"]
    if env.trading_mode == "sandbox":
        lines.append(f"  Login    {OPERATOR} / {demo_password(env.var_dir)}")
    if waiting_for:
        lines.append(f"  Not answering after {ANNOUNCE_WITHIN_S} s: {waiting_for}. The lines above say why.")
    sys.stdout.write("\n".join([*lines, "  Stop     Ctrl-C", "", ""]))
    sys.stdout.flush()


def _not_answering(url: str, token: str) -> str | None:
    """Return what does not answer yet. The sandbox is judged through `upbit_api`."""
    try:
        with urlopen(Request(f"{url}/readyz"), timeout=5):  # noqa: S310 - our own address
            pass
        detail = _detail(url, token)
    except (HTTPError, URLError, OSError, ValueError) as error:
        return f"web ({error})"
    down = [c["name"] for c in detail["components"] if c["status"] == "unhealthy"]
    return ", ".join(down) or None


def _detail(url: str, token: str) -> dict[str, list[dict[str, str]]]:
    request = Request(f"{url}/api/v1/health/detail", headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - our own address
    try:
        with urlopen(request, timeout=10) as answer:  # noqa: S310 - our own address
            return dict(json.load(answer))
    except HTTPError as error:
        if error.code != 503:
            raise
        return dict(json.load(error))


def _taken(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _fail(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
