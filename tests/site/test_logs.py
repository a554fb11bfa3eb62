"""Log lines are JSON or readable text, and never show a secret, whichever logger writes them."""

import json
import subprocess
import sys

import pytest

from tradingsite import masking

urlpatterns: list[object] = []  # of the site that one test's process serves
SECRET = "planted-secret-4711"

SCRIPT = """
import logging, sys, structlog
from tradingsite import logs, masking
masking.know_secrets([{secret!r}])
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
        ("GET /token='", "GET /token='***'"),
        ('cut off: {"api_key": "AQ.ab', 'cut off: {"api_key": "***"'),
        ("balance=Decimal('12", "balance=***"),
        ("a://b:c a://b:d@e", "a://b:c a://b:***@e"),
        ("eyJhbGci-eyJhbGci.eyJhIjo.sig", "***"),
        ("market=KRW-BTC price=148601000", "market=KRW-BTC price=148601000"),
    ],
)
def test_mask_hides_what_looks_like_a_secret(written, shown):
    assert masking.mask(written) == shown


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
def test_secret_is_in_no_line_of_any_logger(body, log_format):
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


def test_request_path_with_a_quote_does_not_break_its_line():
    body = r"""
from django.conf import settings
settings.configure(ROOT_URLCONF="tests.site.test_logs", ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None)
import django
django.setup()
from django.test import Client
for path in ("/token='", '/api_key="', r'/"password":\"'):
    Client().get(path)
"""
    written = [json.loads(line) for line in lines_of(body, "json")]

    facts = [(line["logger"], line["level"], line["status_code"]) for line in written]
    assert facts == [("django.request", "warning", 404)] * 3
    assert written[0]["event"] == "Not Found: /token='***'"


EVENTS = r"""
import random
dice = random.Random(4711)
words = ["token", "=", ":", "'", '"', "\\", "{", "}", "[", ",", " ", "\n", "eyJhbGci", ".", "x://a:b", "@",
         "Bearer ", "Decimal('1')", "balance", "비밀", "api_key", "\x00", "\ud800", "%41", SECRET]

def text():
    return "".join(dice.choices(words, k=dice.randrange(1, 20)))

def mapping(depth):
    return {text(): value(depth), 7: text(), (1, text()): 1}

def value(depth=0):
    plain = [text(), dice.random(), float("nan"), text().encode(errors="replace"), object(), None]
    plain += [ValueError(text())]
    nested = [mapping, lambda depth: [value(depth), text()]]
    return dice.choice(nested)(depth + 1) if depth < 3 and dice.random() < 0.3 else dice.choice(plain)

for number in range(1000):
    fact = {dice.choice(["fact", "path", "api_key"]): value()}
    structlog.get_logger("ours").warning(text(), number=number, **fact)
    try:
        raise ValueError(text())
    except ValueError:
        broken = dice.random() < 0.1
        logging.getLogger("theirs").error("%s !", text(), exc_info=broken, extra={"fact": value()})
"""


def test_every_masked_line_is_json_and_keeps_its_level_and_logger():
    written = [
        json.loads(line, parse_constant=pytest.fail)
        for line in lines_of(f"SECRET = {SECRET!r}\n{EVENTS}", "json")
    ]

    kept = [(line["logger"], line["level"]) for line in written]
    assert kept == [("ours", "warning"), ("theirs", "error")] * 1000
    assert [line["number"] for line in written[::2]] == list(range(1000))
    assert SECRET not in json.dumps(written)


def test_json_lines_parse_and_carry_their_facts():
    (line,) = lines_of("structlog.get_logger('tradingsite.x').info('collect.done', markets=2)", "json")

    record = json.loads(line)
    assert record["event"] == "collect.done"
    assert record["markets"] == 2
    assert record["level"] == "info"
    assert record["logger"] == "tradingsite.x"
    assert record["timestamp"].endswith("Z")


def test_exception_is_one_json_line():
    (line,) = lines_of(
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    logging.getLogger('a').exception('failed')", "json"
    )

    assert "ZeroDivisionError" in json.loads(line)["exception"]


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_metric_is_a_bare_line_in_every_format(log_format):
    (line,) = lines_of(
        "logging.getLogger('tradingsite.jobs.job_metric').info('{\"metric_type\":\"job\"}')", log_format
    )

    assert line == '{"metric_type":"job"}'


def test_text_lines_are_readable_and_without_colour_in_a_pipe():
    (line,) = lines_of("structlog.get_logger('a').warning('collect.refused', markets=3)", "text")

    assert "collect.refused" in line
    assert "markets=3" in line
    assert "\x1b" not in line
