"""`make run`: starts database, sandbox, scheduler and web from the Procfile, and prints their addresses.

Ctrl-C, SIGTERM or a closed terminal stop all of it within five seconds, PostgreSQL included.
"""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from types import FrameType
from typing import NoReturn
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import honcho.manager
from honcho.environ import expand_processes, parse_procfile
from honcho.printer import Message, Printer

from tradingsite import logs
from tradingsite.env import BASE_DIR, Environment, InvalidEnvironment, environment
from tradingsite.local_files import DEMO_OPERATOR, demo_password

ANNOUNCE_WITHIN_S = 60
STOP_WITHIN_S = 4  # then SIGKILL, so that stopping takes less than five seconds


class Output(Printer):  # type: ignore[misc]  # honcho has no types
    """Prefixes each line with the name of its process. JSON lines stay as they are, for parsers."""

    def write(self, message: Message) -> None:
        data = message.data
        text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
        if text.startswith("{"):
            sys.stdout.write(text)
            sys.stdout.flush()
        else:
            super().write(message)


class Manager(honcho.manager.Manager):  # type: ignore[misc]  # honcho has no types
    """Starts the announcing thread only after all children are forked: forking with threads can deadlock."""

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
    problem = _port_problem("PORT", env.host, env.port)
    if sandbox and env.sandbox_port:
        problem = problem or _port_problem("SANDBOX_PORT", "127.0.0.1", env.sandbox_port)
    if problem:
        return _fail(problem)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    child_env = {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "LOG_FORMAT": logs.chosen_format(
            env.log_format
        ),  # their stderr is a pipe, while ours may be a terminal
        "SCHEDULER_GRACE_S": str(min(env.scheduler_grace_s, STOP_WITHIN_S - 1)),
    }
    if status := _prepare(child_env):
        return status
    honcho.manager.KILL_WAIT = STOP_WITHIN_S
    manager = Manager(env)
    for process in expand_processes(commands(env)):
        manager.add_process(process.name, process.cmd, env={**child_env, **process.env}, cwd=str(BASE_DIR))
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    manager.loop()
    return manager.returncode or 0


def commands(env: Environment) -> dict[str, str]:
    """Return the commands by name: the Procfile, in live mode without the sandbox."""
    procfile: dict[str, str] = parse_procfile((BASE_DIR / "Procfile").read_text()).processes
    return {
        name: command
        for name, command in procfile.items()
        if name != "sandbox" or env.trading_mode == "sandbox"
    }


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """Exit on a signal that comes before honcho has installed its own handlers."""
    sys.exit(128 + number)


def _prepare(child_env: Mapping[str, str]) -> int:
    # In its own session, Ctrl-C reaches only this process, which ends the other one without a traceback.
    process = subprocess.Popen(
        [sys.executable, "manage.py", "prepare"], cwd=BASE_DIR, env=child_env, start_new_session=True
    )
    try:
        return process.wait()
    finally:
        process.terminate()
        process.wait()


def announce(env: Environment) -> None:
    """Wait until everything answers, then print the URLs and the demo login."""
    url = f"http://{env.web_address}".replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    deadline = time.monotonic() + ANNOUNCE_WITHIN_S
    while waiting_for := _not_answering(url, env):
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    lines = ["", f"  Status   {url}/status/", f"  Admin    {url}/admin/"]
    if env.trading_mode == "sandbox":
        lines.append(f"  Login    {DEMO_OPERATOR} / {demo_password(env.var_dir)}")
    if waiting_for:
        lines.append(f"  Not answering after {ANNOUNCE_WITHIN_S} s: {waiting_for}. The lines above say why.")
    sys.stdout.write("\n".join([*lines, "  Stop     Ctrl-C", "", ""]))
    sys.stdout.flush()


def _not_answering(url: str, env: Environment) -> str | None:
    """Return what does not answer yet, None when all does. `upbit_api` stands for the sandbox.

    In live mode all but the probes redirect to https, which only the proxy in front offers, so only they are
    asked.
    """
    try:
        with urlopen(Request(f"{url}/readyz"), timeout=5):  # noqa: S310 - our own address
            pass
        if env.trading_mode == "live" or env.health_token is None:
            return None
        detail = _detail(url, env.health_token.get_secret_value())
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


def _port_problem(variable: str, host: str, port: int) -> str | None:
    """Return why the port cannot be used, and what to do; None if it can.

    It binds exactly as gunicorn does.
    """
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return (
                f"Port {port} is taken. Stop the process that uses it, or choose another: "
                f"{variable}={port + 1} make run"
            )
        return f"Cannot listen on {host} with {variable}={port}: {error.strerror}."
    return None


def _fail(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
