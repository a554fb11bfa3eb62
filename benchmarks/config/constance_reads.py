"""Print nanoseconds a hit of django-constance, by one thread and by four; it runs as a process of its own."""

import sys

import django

import tradingsite  # noqa: F401 - it makes our `sysconfig` folder importable
from benchmarks.timing import ns_a_call

django.setup()

from constance import config  # noqa: E402 - after setup
from django.core.management import call_command  # noqa: E402 - after setup

CALLS = 40_000

if __name__ == "__main__":
    call_command("migrate", "constance", verbosity=0)
    config.stop_loss_pct = 5.0
    names = {"config": config}
    for threads in (1, 4):
        sys.stdout.write(f"{ns_a_call('config.stop_loss_pct', names, CALLS, threads)}\n")
