"""Shows what a state of a component or job means and what to do, taken from the runbook.

`settings.RUNBOOK` names one Markdown file for each language. In it a section begins with `### name`, the part
about one state with `#### state` or `#### words for people (state)`.

See docs/health.md, rule 27.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

if TYPE_CHECKING:
    from markdown_it.token import Token

logger = structlog.get_logger(__name__)

_SECTION = re.compile(r"^(?=#{2,3} )", re.MULTILINE)
_PART = re.compile(r"^#### ", re.MULTILINE)
_TITLE = re.compile(r"(?P<title>.*?)\s*(?:\((?P<state>[a-z_]+)\))?\s*")


@dataclass(frozen=True)
class Part:
    state: str
    title: str
    html: SafeString


@dataclass(frozen=True)
class Section:
    """The runbook section about one component or job."""

    html: SafeString
    parts: Sequence[Part]


@dataclass(frozen=True)
class RunbookAdvice:
    """A section arranged for one state: `now` is the part about it, `others` are the other parts."""

    html: SafeString
    now: Part | None
    others: Sequence[Part]


def section(name: str) -> Section | None:
    """Return the section about `name` in the active language; None when there is none."""
    paths: Mapping[str, str | Path] = settings.RUNBOOK
    path = paths.get(get_language() or "") or paths[settings.LANGUAGE_CODE]
    return _sections(Path(path)).get(name)


def advice(name: str, state: str) -> RunbookAdvice | None:
    """Return the section about `name` with the part about `state` first; None when there is none."""
    found = section(name)
    if found is None:
        return None
    now = next((part for part in found.parts if part.state == state), None)
    return RunbookAdvice(found.html, now, [part for part in found.parts if part is not now])


@cache
def _sections(path: Path) -> Mapping[str, Section]:
    """Parse a file, once per process: it changes only with a release. An unreadable one counts as empty."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        logger.warning("health.no_runbook", error=type(error).__name__)
        return {}
    return dict(_read(text))


def _read(text: str) -> Iterator[tuple[str, Section]]:
    for block in _SECTION.split(text):
        heading, _, body = block.partition("\n")
        if heading.startswith("### "):
            about, *parts = _PART.split(body)
            yield heading.removeprefix("### ").strip(" `"), Section(_html(about), [*map(_part, parts)])


def _part(text: str) -> Part:
    heading, _, body = text.partition("\n")
    named = _TITLE.fullmatch(heading)
    title = named["title"] if named else heading
    return Part((named and named["state"]) or title, title, _html(body))


def _html(text: str) -> SafeString:
    """Return safe HTML: raw HTML is shown as text, and only web addresses become links."""
    from markdown_it import MarkdownIt  # only a page with a runbook needs it

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = markdown.parse(text)
    for token in tokens:
        token.children = token.children and list(_without_links_to_files(token.children))
    html: str = markdown.renderer.render(tokens, markdown.options, {})
    return mark_safe(html)  # noqa: S308 - a file of the release, with raw HTML off


def _without_links_to_files(tokens: Sequence[Token]) -> Iterator[Token]:
    """Reduce links to other documentation files to their text: no page shows those files."""
    leads_out = False
    for token in tokens:
        if token.type == "link_open":
            leads_out = str(token.attrGet("href")).startswith(("https://", "http://"))
        if leads_out or token.type not in {"link_open", "link_close"}:
            yield token
