"""Every alert format: the environment accepts it, docs list it, and it mentions no group of people."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from healthcheck.alerts.messages import AlertChange, Format, body
from tradingsite.env import Environment

DOCS = Path(__file__).resolve().parents[3] / "docs"
FORMATS = get_args(Format)
CHANGE = AlertChange(
    component="api",
    label="The API",
    at=datetime(2026, 1, 24, 10, tzinfo=UTC),
    before="healthy",
    after="unhealthy",
    message="no answer: <!channel> @everyone",
    version="1.2.3",
)
MENTIONS_NO_GROUP: dict[Format, Callable[[Any], bool]] = {
    "slack": lambda sent: "<!channel>" not in sent["text"],
    "discord": lambda sent: sent["allowed_mentions"] == {"parse": []},
}
"""For each format that people read: the proof that a message mentions no group."""


def test_environment_accepts_exactly_the_formats_that_messages_are_written_in():
    accepted = get_args(Environment.model_fields["alert_webhook_format"].annotation)

    assert sorted(accepted) == sorted(FORMATS)


@pytest.mark.parametrize("form", sorted({*FORMATS} - {"json"}))
def test_format_has_a_body_of_its_own(form):
    sent = body(form, "The site", CHANGE)

    assert "event" not in sent, f"{form} is posted as json"
    assert "The API is unhealthy" in json.dumps(sent)


def test_no_format_mentions_a_whole_channel():
    assert MENTIONS_NO_GROUP.keys() == {*FORMATS} - {"json"}
    for form, proof in MENTIONS_NO_GROUP.items():
        assert proof(body(form, "The site", CHANGE)), form


def test_docs_list_every_format():
    configuration, alerts = ((DOCS / page).read_text() for page in ("configuration.md", "alerts.md"))
    (row,) = re.findall(r"^\| `ALERT_WEBHOOK_FORMAT` \| ([^|]+) \|", configuration, re.MULTILINE)

    assert sorted(re.findall(r"`(\w+)`", row)) == sorted(FORMATS)
    assert sorted(re.findall(r"ALERT_WEBHOOK_FORMAT=(\w+)", alerts)) == sorted(FORMATS)
