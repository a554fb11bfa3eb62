"""Derives what the site can do now, such as placing orders, from the state of its components.

See docs/health.md, rule 20.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from django.utils.functional import Promise
from django.utils.translation import gettext_noop

from healthcheck.declared import AbilityTask
from healthcheck.report import Finding

Answer = Literal["yes", "no", "paused", "unknown"]

_PRECEDENCE: Sequence[Answer] = ("yes", "paused", "unknown", "no")
_NOTHING_WRONG = Finding("healthy", gettext_noop("nothing prevents it"))


@dataclass(frozen=True)
class Ability:
    """Whether the site can do one thing, and why not.

    Attributes:
        label: for people, translated when it is shown.
        blamed: the component whose finding is the `reason`; "" when it is the finding of the ability's own
            probe.
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


def derive_ability(task: AbilityTask, needed: Iterable[_Component], own: Finding | None) -> Ability:
    """Return the ability's answer: the most serious one among its components' and its own probe's.

    A component with a warning still works, so it counts as a yes. A warning from the ability's own probe is
    a no: that probe checks exactly this ability.
    """
    found = [(_answer_of_component(each.finding), each.finding, each.name) for each in needed]
    if own is not None:
        found.append((_answer_of_own_probe(own), own, ""))
    answer, reason, blamed = max(
        found, key=lambda each: _PRECEDENCE.index(each[0]), default=("yes", _NOTHING_WRONG, "")
    )
    if answer == "yes":
        return Ability(task.name, task.label, answer, own or _NOTHING_WRONG)
    return Ability(task.name, task.label, answer, reason, blamed)


def decisive(abilities: Sequence[Ability]) -> Ability:
    """Return the ability that decides for all of them: no before unknown before paused before yes."""
    return max(abilities, key=lambda ability: _PRECEDENCE.index(ability.answer))


def _answer_of_component(finding: Finding) -> Answer:
    if finding.status == "unhealthy":
        return "no"
    if not finding.judged:
        return "unknown"
    return "paused" if finding.paused else "yes"


def _answer_of_own_probe(finding: Finding) -> Answer:
    if not finding.judged:
        return "unknown"
    if finding.paused:
        return "paused"
    return "yes" if finding.status == "healthy" else "no"
