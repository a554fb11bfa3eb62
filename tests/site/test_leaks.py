"""A test whose output shows a secret fails, and its report does not repeat the secret."""

import subprocess
import sys

SHOWING = """
import logging
from django.conf import settings

def test_logs_a_secret():
    logging.getLogger("anything").warning("the key is %s", settings.UPBIT_SECRET_KEY)

def test_logs_none():
    logging.getLogger("anything").warning("the key is hidden")
"""


def test_leaking_test_fails_and_its_report_hides_the_secret(tmp_path, settings):
    (tmp_path / "test_showing.py").write_text(SHOWING)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(tmp_path), "-q", "-p", "tests.leaks", "-p", "no:xdist",
         "-p", "no:randomly", "--rootdir", str(tmp_path), "-c", "/dev/null", "--ds", "tests.settings"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "its output shows UPBIT_SECRET_KEY" in done.stdout
    assert settings.UPBIT_SECRET_KEY not in done.stdout
