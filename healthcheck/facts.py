"""The evidence for a component's state, for its page and its JSON (docs/health.md, rule 21)."""

from collections.abc import Sequence

import structlog
from django.db import Error as DatabaseError

from healthcheck.declared import configured_probes, import_function
from healthcheck.report import Fact

logger = structlog.get_logger(__name__)


def facts(component: str) -> Sequence[Fact]:
    """Return the facts from the component's `evidence` function; none without one, or when it fails.

    Raises:
        django.db.Error: the database, from which they are read, does not answer.
    """
    path = next((task.evidence for task in configured_probes() if task.name == component), "")
    try:
        return tuple(import_function(path)()) if path else ()
    except DatabaseError:
        raise
    except Exception:
        # An error in the evidence must not break the whole page or JSON.
        logger.exception("health.evidence_failed", component=component)
        return ()
