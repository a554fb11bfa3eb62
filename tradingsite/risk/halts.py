"""What an operator does with halts: stop all new buys now, and end a halt (V8, V9)."""

from django.db import IntegrityError, transaction
from django.utils import timezone

from tradingsite.risk.models import Halt


class AlreadyHalted(Exception):
    """An operator's halt is open: `halt` tells whose and why."""

    def __init__(self, halt: Halt) -> None:
        super().__init__(
            f"halted by {halt.made_by} since {halt.started_at:%Y-%m-%d %H:%M:%S} UTC: {halt.reason}"
        )
        self.halt = halt


def halt_now(reason: str, by: str) -> Halt:
    """Stop new buys of all markets until an operator ends it.

    Raises:
        ValueError: no reason, or nobody.
        AlreadyHalted: there is one already. It is not the caller's, so somebody else may end it.
    """
    if not reason.strip() or not by:
        raise ValueError("a halt needs a reason and a name")
    operators = Halt.objects.open().filter(kind=Halt.Kind.OPERATOR)
    try:
        with transaction.atomic():
            return Halt.objects.create(
                kind=Halt.Kind.OPERATOR, reason=reason.strip(), started_at=timezone.now(), made_by=by
            )
    except IntegrityError as error:
        raise AlreadyHalted(operators.get()) from error


def end(halt: Halt, by: str) -> bool:
    """End `halt` now; return False when it had ended before, which stays as it was recorded.

    A halt of the program comes back with the next check while its cause lasts.
    """
    ended = Halt.objects.open().filter(pk=halt.pk).update(ended_at=timezone.now(), ended_by=by)
    halt.refresh_from_db()
    return ended == 1
