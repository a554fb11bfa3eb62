"""Heavy packages are imported only by the scheduler's job."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOOK = """
import sys, django
django.setup()
import tradingsite.strategy.admin, tradingsite.strategy.models, tradingsite.strategy.probes
import tradingsite.strategy.evaluation, tradingsite.urls
heavy = ("google.generativeai", "google.ai", "talib", "numpy")
print(sorted(name for name in sys.modules if name.startswith(heavy)))
"""


def test_site_without_a_job_loads_neither_sdk_nor_ta_lib():
    found = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout == "[]\n"
