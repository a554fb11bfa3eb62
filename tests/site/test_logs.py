"""Log lines: parsable or readable, and never a secret, whoever writes them."""

import json
import subprocess
import sys

import pytest

from tradingsite import logs

SECRET = "planted-secret-4711"

SCRIPT = """
import logging, sys, structlog
from tradingsite import logs
logs.know_secrets([{secret!r}])
logs.configure({log_format!r}, "INFO")
{body}
"""


def lines_of(body, log_format):
    """Run `body` in a process of its own and return its stderr's lines."""
    script = SCRIPT.format(secret=SECRET, log_format=log_format, body=body)
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == ""
    return result.stderr.splitlines()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("postgresql://trader:pass-word@db:5432/x", "postgresql://trader:***@db:5432/x"),
        ("redis://:pass-word@cache", "redis://:***@cache"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: *** ***"),
        ("sent Bearer abc.def-ghi", "sent Bearer ***"),
        ("token=abcdef123 and more", "token=*** and more"),
        ('{"api_key": "AQ.abc"}', '{"api_key": "***"}'),
        ("{'secret_key': 'abc', 'market': 'KRW-BTC'}", "{'secret_key': '***', 'market': 'KRW-BTC'}"),
        ('{"currency": "KRW", "balance": "1000000.0"}', '{"currency": "KRW", "balance": "***"}'),
        ('{"balance": 12.5, "x": 1}', '{"balance": "***", "x": 1}'),
        (r'{"body": "{\"api_key\": \"abc\"}"}', r'{"body": "{\"api_key\": \"***\"}"}'),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJhIjoiYiJ9.sig-na_ture", "jwt ***"),
        ("balance=Decimal('1234567.8') x=1", "balance=*** x=1"),
        ('{"error":"bad token:","success":false}', '{"error":"bad token:","success":false}'),
        ("market=KRW-BTC price=148601000", "market=KRW-BTC price=148601000"),
    ],
)
def test_mask_hides_what_looks_like_a_secret(written, shown):
    assert logs.mask(written) == shown


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize(
    "body",
    [
        f"structlog.get_logger('a').warning('failed', header='{SECRET}', nested={{'deep': ['{SECRET}']}})",
        f"logging.getLogger('requests').warning('GET https://x?key=%s', '{SECRET}')",
        f"try: raise ValueError('{SECRET}')\nexcept ValueError: logging.getLogger('a').exception('failed')",
        f"key = '{SECRET}'\ntry: key.x\nexcept AttributeError: structlog.get_logger('a').exception('failed')",
        f"logging.getLogger('tradingsite.jobs.job_metric').info('{{\"error\": \"{SECRET}\"}}')",
        f"logging.getLogger('gunicorn.error').error('worker said {SECRET}')",
    ],
)
def test_a_secret_is_in_no_line_of_any_logger(body, log_format):
    written = "\n".join(lines_of(body, log_format))

    assert written
    assert SECRET not in written


def test_masking_leaves_json_parsable():
    body = (
        """structlog.get_logger("a").info('token=abc {"password": "x"}', balance=12.5, raw={"api_key": 7})"""
    )
    (line,) = lines_of(body, "json")

    assert json.loads(line)["balance"] == "***"
    assert json.loads(line)["raw"] == {"api_key": "***"}
    assert json.loads(line)["event"] == 'token=*** {"password": "***"}'


def test_json_lines_parse_and_carry_their_facts():
    (line,) = lines_of("structlog.get_logger('tradingsite.x').info('collect.done', markets=2)", "json")

    record = json.loads(line)
    assert record["event"] == "collect.done"
    assert record["markets"] == 2
    assert record["level"] == "info"
    assert record["logger"] == "tradingsite.x"
    assert record["timestamp"].endswith("Z")


def test_an_exception_is_one_json_line():
    (line,) = lines_of(
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    logging.getLogger('a').exception('failed')", "json"
    )

    assert "ZeroDivisionError" in json.loads(line)["exception"]


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_metric_is_a_bare_line_in_every_format(log_format):
    (line,) = lines_of(
        "logging.getLogger('tradingsite.jobs.job_metric').info('{\"metric_type\":\"job\"}')", log_format
    )

    assert line == '{"metric_type":"job"}'


def test_text_lines_are_readable_and_without_colour_in_a_pipe():
    (line,) = lines_of("structlog.get_logger('a').warning('collect.refused', markets=3)", "text")

    assert "collect.refused" in line
    assert "markets=3" in line
    assert "\x1b" not in line
