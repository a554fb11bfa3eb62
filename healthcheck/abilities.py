"""What the site can do now, derived from its components (docs/health.md, 20)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from django.utils.functional import Promise
from django.utils.translation import gettext_noop

from healthcheck.declared import AbilityTask
from healthcheck.report import Finding

Answer = Literal["yes", "no", "paused", "unknown"]

_WEIGHT: Sequence[Answer] = ("yes", "paused", "unknown", "no")
_WELL = Finding("healthy", gettext_noop("nothing stands against it"))


@dataclass(frozen=True)
class Ability:
    """Something that the site can do or not, and why.

    Attributes:
        label: for people, translated when it is shown.
        blamed: the component whose finding `reason` is; "" when it is the ability's own.
    """

    name: str
    label: str | Promise
    answer: Answer
    reason: Finding
    blamed: str = ""


class _Component(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def finding(self) -> Finding: ...


def derived(task: AbilityTask, needed: Iterable[_Component], own: Finding | None) -> Ability:
    """Return what the components it needs and its own probe add up to: the weightiest objection wins.

    A component's warning is no objection, since it still works; its own probe's is one.
    """
    found = [(_of_component(each.finding), each.finding, each.name) for each in needed]
    if own is not None:
        found.append((_of_own(own), own, ""))
    answer, reason, blamed = max(found, key=lambda each: _WEIGHT.index(each[0]), default=("yes", _WELL, ""))
    if answer == "yes":
        return Ability(task.name, task.label, answer, own or _WELL)
    return Ability(task.name, task.label, answer, reason, blamed)


def weightiest(abilities: Sequence[Ability]) -> Ability:
    """Return the ability whose answer decides for all: a no before an unknown before a pause before a yes."""
    return max(abilities, key=lambda ability: _WEIGHT.index(ability.answer))


def _of_component(finding: Finding) -> Answer:
    if finding.status == "unhealthy":
        return "no"
    if not finding.judged:
        return "unknown"
    return "paused" if finding.paused else "yes"


def _of_own(finding: Finding) -> Answer:
    if not finding.judged:
        return "unknown"
    if finding.paused:
        return "paused"
    return "yes" if finding.status == "healthy" else "no"
