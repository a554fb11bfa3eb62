"""A process that reads one setting all the time and prints each change of it; commands come on stdin.

`python -m tests.sysconfig.processes.reader PERIOD_S ANTI_ENTROPY_S PAUSE_S [VARIANT]`
"""

import json
import os
import queue
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from unittest.mock import patch

import django

import tradingsite  # noqa: F401 - it makes our `sysconfig` folder importable

django.setup()

from django.db import Error, close_old_connections  # noqa: E402 - after setup
from psycopg_pool import PoolTimeout  # noqa: E402 - after setup

from sysconfig.models import SystemConfig  # noqa: E402 - after setup
from sysconfig.push import listener  # noqa: E402 - after setup
from sysconfig.push.session import TimedConnection  # noqa: E402 - after setup
from tests.sysconfig.processes import variants  # noqa: E402 - after setup

KEY = "t_watched"
get_value = SystemConfig.objects.get_value
first_parent = os.getppid()
commands: "queue.Queue[list[str]]" = queue.Queue()
reports_due_s: list[float] = []
"""When a report is to be printed, on the monotonic clock."""


class RecordingListener(listener.ConfigListener):
    """Remembers its connections."""

    opened: "list[TimedConnection]" = []

    def _connect(self):
        self.opened.append(super()._connect())
        return self.opened[-1]


def say(**what):
    line = json.dumps({"pid": os.getpid()} | what) + "\n"
    os.write(1, line.encode())  # in one piece: a fork writes to the same pipe


def watch(pause_s):
    """Read for ever; print each new value with the time it was seen and the last time of the old one."""
    seen, last_s, parent = None, time.monotonic(), os.getppid()
    while os.getppid() in (parent, first_parent):
        began_s = time.monotonic()
        try:
            value = get_value(KEY)
        except (Error, PoolTimeout, OSError):
            close_old_connections()  # no answer is no old answer
        else:
            if value != seen:
                say(value=value, at_s=time.monotonic(), old_until_s=last_s)
                seen = value
            last_s = began_s
            report_if_due(value, began_s)
        if not commands.empty():
            carry_out(commands.get())
            parent = os.getppid()
        time.sleep(pause_s)


def report_if_due(value, began_s):
    if reports_due_s and began_s >= reports_due_s[0]:
        del reports_due_s[0]
        alive = listener._this.listener is not None and listener._this.listener.is_alive()
        say(event="report", reads=value, listener_alive=alive, **SystemConfig.objects.cache_report())


def carry_out(words):
    match words:
        case ["fork"]:
            if os.fork() == 0:
                say(event="child", value=get_value(KEY))
        case ["unlisten"]:
            live = [each for each in RecordingListener.opened if not each.closed]
            if not live:  # it is just connecting again
                commands.put(words)
                return
            live[-1].execute("UNLISTEN *")
            say(event="unlistened")
        case ["report-at", moment_s]:
            reports_due_s.append(float(moment_s))
        case ["stress", threads, reads]:
            stress(int(threads), int(reads))


@contextmanager
def racing(heard):
    """Let threads take turns often, loads take long, and `heard` count the changes that were announced."""
    hear, manager, load = (
        listener.config_cache.invalidate_many,
        SystemConfig.objects,
        SystemConfig.objects._load,
    )

    def counted(keys, lease_until=None, source="notify"):
        keys = list(keys)
        hear(keys, lease_until, source)
        heard[0] += keys.count(KEY)

    def slowly(key):
        value = load(key)
        time.sleep(0.002)  # a long way back from the database: changes overtake it
        return value

    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    with (
        patch.object(listener.config_cache, "invalidate_many", counted),
        patch.object(manager, "_load", slowly),
    ):
        yield
    sys.setswitchinterval(interval_s)


def stress(threads, reads):
    """Count reads that began after a change was announced, and still gave the value before it.

    Each change adds one to the value and announces itself once, in the order of the commits.
    """
    start = int(get_value(KEY))
    heard, discarded = [start], listener.config_cache.discarded

    def read(_number):
        stale = 0
        for turn in range(reads):
            if turn % 50 == 0:
                time.sleep(0)  # or the listener hardly ever gets a turn between hits
            least = heard[0]
            stale += int(get_value(KEY)) < least
        return stale

    with racing(heard):
        say(event="ready")
        began_s = time.monotonic()
        with ThreadPoolExecutor(threads) as pool:
            stale = sum(pool.map(read, range(threads)))
        took_s = time.monotonic() - began_s
    say(
        event="stressed",
        stale=stale,
        reads=threads * reads,
        heard=heard[0] - start,
        discarded=listener.config_cache.discarded - discarded,
        took_s=took_s,
    )


def take_commands():
    for line in sys.stdin:
        if line == "go\n":
            variants.gate.set()
        else:
            commands.put(line.split())
    os._exit(0)  # the test is over


if __name__ == "__main__":
    period_s, anti_entropy_s, pause_s = (float(word) for word in sys.argv[1:4])
    signal.signal(
        signal.SIGUSR1, lambda *_: reports_due_s.append(0.0)
    )  # a fork has no thread that reads stdin
    variants.gate.set()
    for variant in sys.argv[4:]:
        variants.VARIANTS[variant]()
    started = RecordingListener(
        listener.config_cache, period_s=period_s, anti_entropy_s=anti_entropy_s, delays_s=(0.05, period_s)
    )
    started.start()
    listener._this.listener = started
    threading.Thread(target=take_commands, daemon=True).start()
    while started.status().lease_age_s is None:
        time.sleep(0.005)
    watch(pause_s)
