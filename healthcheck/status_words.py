"""The words, icons and colours of each status, for all pages, texts and alerts."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from healthcheck.abilities import Answer
from healthcheck.report import Overall, Status


@dataclass(frozen=True)
class StatusWords:
    """For a component or the whole site.

    Attributes:
        verdict: CSS class of the headline, and name of the icon in the browser tab.
        role: the colour, by its name in Django's terminal styles.
        mark: the emoji at the start of an alert.
    """

    word: str | Promise
    verdict: str
    role: str
    mark: str


@dataclass(frozen=True)
class DayWords:
    """For a day in the history. Each kind has its own height, so that it can be read without colour."""

    word: str | Promise
    height: int


@dataclass(frozen=True)
class AnswerWords:
    """For an ability; `shape` is the status whose icon and colour it gets."""

    word: str | Promise
    shape: str


STATUS_WORDS: Mapping[Status | Overall, StatusWords] = {
    "healthy": StatusWords(_("Healthy"), "healthy", "SUCCESS", "✅"),
    "warning": StatusWords(_("Warning"), "degraded", "WARNING", "⚠️"),
    "degraded": StatusWords(_("Degraded"), "degraded", "WARNING", "⚠️"),
    "unhealthy": StatusWords(_("Unhealthy"), "unhealthy", "ERROR", "🔴"),
}
DAY_WORDS: Mapping[str, DayWords] = {
    "healthy": DayWords(_("healthy"), 24),
    "warning": DayWords(_("with a warning"), 16),
    "unhealthy": DayWords(_("unhealthy"), 9),
    "paused": DayWords(_("paused on purpose"), 12),
    "nothing": DayWords(_("without a record"), 2),
}
ANSWER_WORDS: Mapping[Answer, AnswerWords] = {
    "yes": AnswerWords(_("Yes"), "healthy"),
    "no": AnswerWords(_("No"), "unhealthy"),
    "paused": AnswerWords(_("Paused on purpose"), "idle"),
    "unknown": AnswerWords(_("Unknown"), "warning"),
}
