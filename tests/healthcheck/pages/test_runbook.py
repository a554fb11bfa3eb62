"""What to do comes from the runbook, safely and in both languages (docs/health.md, 27)."""

import re

import pytest
from django.utils.translation import override

from healthcheck.pages import runbook
from healthcheck.report import component_names
from tradingsite.jobs.timetable import registered

STATES = ("healthy", "warning", "unhealthy")
JOB_STATES = ("failed", "late", "overrun", "quarantined", "paused", "ok")
LANGUAGES = ("en", "ko")
EVERYTHING = [
    *((name, state) for name in component_names() for state in STATES),
    *((name, state) for name in registered() for state in JOB_STATES),
]


@pytest.fixture
def book(tmp_path, settings):
    """Write a runbook of the test's own; it says how `api` reads."""

    def write(text):
        path = tmp_path / "book.md"
        path.write_text(text)
        settings.RUNBOOK = {"en": path}
        runbook._sections.cache_clear()
        return runbook.section("api")

    yield write
    runbook._sections.cache_clear()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_of_every_component_and_job_has_its_advice(language):
    with override(language):
        lacking = [
            (name, state)
            for name, state in EVERYTHING
            if not (advice := runbook.advice(name, state)) or not advice.now or len(advice.now.html) < 10
        ]
        words = runbook.section("database").html

    assert lacking == []
    assert bool(re.search("[가-힣]", words)) is (language == "ko")


def test_both_languages_have_the_same_parts_in_the_same_order():
    parts = []
    for language in LANGUAGES:
        with override(language):
            parts.append({
                name: [part.state for part in runbook.section(name).parts]
                for name in (*component_names(), *registered())
            })  # fmt: skip

    assert parts[0] == parts[1]


@pytest.mark.parametrize("name", [*component_names(), *registered()])
def test_both_languages_name_the_same_commands_and_variables(name):
    codes = []
    for language in LANGUAGES:
        with override(language):
            section = runbook.section(name)
        html = " ".join([section.html, *(part.html for part in section.parts)])
        codes.append(set(re.findall("<code>([^<]*)</code>", html)) - {*component_names(), *registered()})

    assert codes[0] == codes[1]


def test_raw_html_is_text_and_only_links_to_the_web_are_links(book):
    section = book(
        "### api\n\nA <script>alert(1)</script> and [orders](orders.md), [top](#api), [Upbit](https://upbit.com/),"
        " [evil](javascript:alert(1)) ![image](https://upbit.com/x.png)\n\n<b>block</b>\n"
    )

    assert "<script" not in section.html
    assert "<b>" not in section.html
    assert "<img" not in section.html
    assert re.findall(r'href="([^"]*)"', section.html) == ["https://upbit.com/", "https://upbit.com/x.png"]
    assert "and orders, top," in section.html


def test_a_part_is_known_by_its_state_and_titled_for_people(book):
    section = book(
        "### api\n\nAbout.\n\n#### unhealthy\n\nRun.\n\n#### too slow (warning)\n\nWait.\n\n## More\n"
    )

    assert [(part.state, part.title, part.html) for part in section.parts] == [
        ("unhealthy", "unhealthy", "<p>Run.</p>\n"),
        ("warning", "too slow", "<p>Wait.</p>\n"),
    ]
    advice = runbook.advice("api", "warning")
    assert (advice.now.title, [part.state for part in advice.others]) == ("too slow", ["unhealthy"])
    assert runbook.advice("api", "healthy").now is None


def test_an_unknown_section_or_missing_runbook_gives_no_advice(book, settings, tmp_path):
    book("### api\n")

    assert runbook.advice("other", "healthy") is None
    settings.RUNBOOK = {"en": tmp_path / "gone.md"}
    assert runbook.section("api") is None


def test_a_language_without_a_runbook_gets_the_sites_own(book):
    book("### api\n\nAbout.\n")

    with override("ko"):
        assert "About." in runbook.section("api").html
