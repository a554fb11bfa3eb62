"""What a component's state is judged by, for people and programs (docs/health.md, 21)."""

from collections.abc import Sequence

import structlog
from django.db import Error as DatabaseError

from healthcheck.declared import configured_probes, imported
from healthcheck.report import Fact

logger = structlog.get_logger(__name__)


def facts(component: str) -> Sequence[Fact]:
    """Return the facts that the component's `evidence` names; none without one, or when it fails.

    Raises:
        django.db.Error: they come from the database, and it cannot be asked.
    """
    path = next((task.evidence for task in configured_probes() if task.name == component), "")
    try:
        return tuple(imported(path)()) if path else ()
    except DatabaseError:
        raise
    except Exception:
        # Broken evidence must not take the page, or the component's JSON, with it.
        logger.exception("health.evidence_failed", component=component)
        return ()
