"""How a state looks to people: its words, shapes and colours, for every page, text and alert."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from healthcheck.abilities import Answer
from healthcheck.report import Overall, Status


@dataclass(frozen=True)
class StatusWords:
    """Of a component or of the whole site.

    Attributes:
        verdict: class of the headline's line, and name of the icon in the browser's tab.
        role: of Django's colours for terminals.
        mark: at the beginning of an alert.
    """

    word: str | Promise
    verdict: str
    role: str
    mark: str


@dataclass(frozen=True)
class DayWords:
    """Of a day in the history. Each kind has a height of its own, so that colour alone says nothing."""

    word: str | Promise
    height: int


@dataclass(frozen=True)
class AnswerWords:
    """Of an ability; `shape` is the state whose icon and colour it has."""

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
    "unknown": AnswerWords(_("Nobody can tell"), "warning"),
}
