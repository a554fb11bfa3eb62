"""What a component's state is judged by, for people and programs (docs/health.md, 21)."""

from collections.abc import Sequence

from healthcheck.configured import configured_probes, imported
from healthcheck.report import Fact


def facts(component: str) -> Sequence[Fact]:
    """Return the facts that the component's `evidence` names; none without one. They may ask the database.

    Raises:
        django.db.Error: it cannot be asked.
    """
    path = next((task.evidence for task in configured_probes() if task.name == component), "")
    return tuple(imported(path)()) if path else ()
