"""A process that reads one setting all the time and says when it changes; it does what it is told on stdin.

`python -m tests.sysconfig.processes.reader PERIOD_S ANTI_ENTROPY_S PAUSE_S [VARIANT]`
"""

import json
import os
import queue
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
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
first = os.getppid()
told: "queue.Queue[list[str]]" = queue.Queue()


class Kept(listener.ConfigListener):
    """Remembers its connections."""

    opened: "list[TimedConnection]" = []

    def _connect(self):
        self.opened.append(super()._connect())
        return self.opened[-1]


def say(**what):
    line = json.dumps({"pid": os.getpid()} | what) + "\n"
    os.write(1, line.encode())  # in one piece: a fork writes to the same pipe


def watch(pause_s):
    """Read for ever; tell each new value with the moment it was seen and the last one of the old."""
    seen, last_s, parent = None, time.monotonic(), os.getppid()
    while os.getppid() in (parent, first):
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
        if not told.empty():
            obey(told.get())
            parent = os.getppid()
        time.sleep(pause_s)


def obey(words):
    match words:
        case ["fork"]:
            if os.fork() == 0:
                say(event="child", value=get_value(KEY))
        case ["unlisten"]:
            live = [each for each in Kept.opened if not each.closed]
            live[-1].execute("UNLISTEN *")
            say(event="unlistened")
        case ["report"]:
            say(event="report", **SystemConfig.objects.cache_report() | {"pid": os.getpid()})
        case ["stress", threads, reads]:
            stress(int(threads), int(reads))


def stress(threads, reads):
    """Count reads that began after a change was heard, and still gave what was before it.

    Each change adds one to the value and announces itself once, in the order of the commits.
    """
    start = int(get_value(KEY))
    heard, hear = [start], listener.config_cache.invalidate_many
    manager, load = SystemConfig.objects, SystemConfig.objects._load

    def counted(keys, lease_until=None, source="notify"):
        keys = list(keys)
        hear(keys, lease_until, source)
        heard[0] += keys.count(KEY)

    def slowly(key):
        value = load(key)
        time.sleep(0.002)  # a long way back from the database: changes overtake it
        return value

    def read(_number):
        stale = 0
        for turn in range(reads):
            if turn % 50 == 0:
                time.sleep(0)  # or the listener hardly ever gets a turn between hits
            least = heard[0]
            stale += int(get_value(KEY)) < least
        return stale

    sys.setswitchinterval(0.0005)
    patch.object(listener.config_cache, "invalidate_many", counted).start()
    patch.object(manager, "_load", slowly).start()
    say(event="ready")
    began_s = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        stale = sum(pool.map(read, range(threads)))
    say(
        event="stressed",
        stale=stale,
        reads=threads * reads,
        heard=heard[0] - start,
        discarded=listener.config_cache.discarded,
        took_s=time.monotonic() - began_s,
    )


def take_orders():
    for line in sys.stdin:
        if line == "go\n":
            variants.gate.set()
        else:
            told.put(line.split())
    os._exit(0)  # the test is over


if __name__ == "__main__":
    period_s, anti_entropy_s, pause_s = (float(word) for word in sys.argv[1:4])
    variants.gate.set()
    for variant in sys.argv[4:]:
        variants.VARIANTS[variant]()
    heard = Kept(
        listener.config_cache, period_s=period_s, anti_entropy_s=anti_entropy_s, delays_s=(0.05, period_s)
    )
    heard.start()
    listener._this.listener = heard
    threading.Thread(target=take_orders, daemon=True).start()
    while heard.status().lease_age_s is None:
        time.sleep(0.005)
    watch(pause_s)
