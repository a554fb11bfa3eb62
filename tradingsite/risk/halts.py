"""Operators' halts: stop all new buys now, and end a halt (docs/risk.md V8, V9)."""

import structlog
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext

from healthcheck.templatetags.moments import moment_text
from tradingsite.risk.models import Halt, HaltQuerySet

logger = structlog.get_logger(__name__)


class AlreadyHalted(Exception):
    """An operator's halt is open already; `halt` has its author and reason."""

    def __init__(self, halt: Halt) -> None:
        super().__init__(f"halted by {halt.made_by} since {moment_text(halt.started_at)} UTC: {halt.reason}")
        self.halt = halt


def halt_now(reason: str, by: str) -> Halt:
    """Stop new buys in all markets until an operator ends the halt.

    Raises:
        ValueError: reason or name is missing or too long; the text says which.
        AlreadyHalted: there is one already; it belongs to someone else, who may end it.
    """
    reason, by = reason.strip(), by.strip()
    if not reason or not by:
        raise ValueError("a halt needs a reason and a name")
    halt = Halt(kind=Halt.Kind.OPERATOR, reason=reason, started_at=timezone.now(), made_by=by)
    try:
        halt.clean_fields()
    except ValidationError as error:
        problems = (f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items())
        raise ValueError("; ".join(problems)) from error
    try:
        with transaction.atomic():
            halt.save(force_insert=True)
    except IntegrityError as error:
        raise AlreadyHalted(by_operators().get()) from error
    logger.warning("halt.begun", kind=str(halt.kind), reason=reason, by=by)
    return halt


def already_halted(halt: Halt) -> str:
    """Return the message that refuses a second halt, in the active language."""
    facts = {"who": halt.made_by, "reason": halt.reason}
    return gettext("New buys are already halted by %(who)s: %(reason)s") % facts


def by_operators() -> HaltQuerySet:
    """Return the operators' open halts; at most one."""
    return Halt.objects.open().filter(kind=Halt.Kind.OPERATOR)


def end(halt: Halt, by: str) -> bool:
    """End `halt` now; return False if it had ended before.

    An automatic halt comes back with the next check while its cause lasts.
    """
    ended = Halt.objects.open().filter(pk=halt.pk).update(ended_at=timezone.now(), ended_by=by)
    halt.refresh_from_db()
    if ended:
        logger.warning("halt.ended", market=halt.market, kind=halt.kind, reason=halt.reason, by=by)
    return ended == 1
