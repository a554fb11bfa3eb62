"""Works out what a change would do: its steps, the rules that forbid it, and what needs a confirmation."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sysconfig import registry
from sysconfig.models import SystemConfig
from sysconfig.registry import ChangeRefused, InvalidConfigValue


class Step(NamedTuple):
    """One value that is replaced. `old` is None when there is no row yet."""

    key: str
    old: str | None
    new: str

    @property
    def raises_risk(self) -> bool:
        return registry.raises_risk(self.key, self.old, self.new)

    @property
    def adds_unregistered(self) -> bool:
        """Return whether it adds a key that is not registered, which is often a typo."""
        return self.old is None and registry.find(self.key) is None


class Plan(NamedTuple):
    """The steps that differ from the table, and all reasons that forbid them.

    `seen` is the stored text of each requested key, None without a row.
    """

    steps: Sequence[Step]
    refusals: Sequence[ChangeRefused]
    seen: Mapping[str, str | None]

    def carry_out(self) -> None:
        """Do all steps or none.

        Raises:
            InvalidConfigValue: a limit or rule forbids it.
            ConcurrentChange: a value has changed since the plan was made.
        """
        changes = {step.key: step.new for step in self.steps}
        SystemConfig.objects.set_values(changes, expected=self.seen)


def plan(changes: Mapping[str, object]) -> Plan:
    """Compare `changes`, typed values or texts, with the table. Writes nothing."""
    stored = dict(SystemConfig.objects.values_list("key", "value"))
    texts: dict[str, str] = {}
    refusals: list[ChangeRefused] = []
    for key, value in changes.items():
        try:
            texts[key] = registry.text_of(key, value)
        except InvalidConfigValue as refused:
            refusals.append(refused)
    # Without the invalid ones: rules about them cannot be checked.
    judged = {key: text for key, text in stored.items() if key in texts or key not in changes}
    refusals.extend(registry.broken_rules(texts, judged))
    steps = [Step(key, stored.get(key), text) for key, text in texts.items() if stored.get(key) != text]
    return Plan(steps, refusals, {key: stored.get(key) for key in changes})
