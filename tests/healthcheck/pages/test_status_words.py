"""Every page and command shows the same word for a state (healthcheck.status_words)."""

from contextlib import suppress
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import translation

from healthcheck.models import HealthTransition
from healthcheck.pages.history_bars import changes
from tests.healthcheck.conftest import BEARER

pytestmark = pytest.mark.django_db(transaction=True)
NOW = "2026-01-24T12:00:00Z"


def of_the_row(text):
    (line,) = [line for line in text.splitlines() if line.startswith("upbit_api")]
    return line.split()[1]


def command():
    out = StringIO()
    with suppress(CommandError):
        call_command("healthcheck", stdout=out)
    return of_the_row(out.getvalue())


@pytest.mark.parametrize(
    ("probe", "status", "words"),
    [
        ("fine", "healthy", {"en": "Healthy", "ko": "정상"}),
        ("warns", "warning", {"en": "Warning", "ko": "경고"}),
        ("crashes", "unhealthy", {"en": "Unhealthy", "ko": "이상"}),
    ],
)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_page_text_and_command_says_the_same_word(site, client, probe, status, words, language):
    site(upbit_api=f"tests.healthcheck.samples.{probe}")
    before = "warning" if status == "healthy" else "healthy"
    HealthTransition.objects.create(component="upbit_api", at=NOW, before=before, after=status)
    headers = BEARER | {"Accept-Language": language}
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language

    page = client.get(reverse("healthcheck:page"), headers=headers).context["page"]
    component = client.get(reverse("healthcheck:component_page", args=["upbit_api"]), headers=headers)
    incident = client.get(reverse("healthcheck:incident"), headers=headers).content.decode()
    with translation.override(language):
        said = {
            "page": next(row.status_word for row in page.components if row.name == "upbit_api"),
            "component": str(component.context["word"]),
            "incident": of_the_row(incident),
            "command": command(),
            "change": str(changes()["changes"][0][1]),
        }

    assert set(said.values()) == {words[language]}, said
