"""How the trader's own calls to the exchange went: kept for all processes, and judged (M10, M11).

The scheduler makes the calls and writes what became of them; the health probes read it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models.functions import Now
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from healthcheck.report import Fact
from tradingsite.clients import call_log
from tradingsite.clients.call_log import Summary
from tradingsite.clients.deadline import SYSTEM_CLOCK
from tradingsite.marketdata.models import VenueEvidence

Value = str | int | float | datetime | None

UPBIT, ACCOUNT = "upbit", "account"
YOUNG = timedelta(seconds=30)
"""The newest success counts for the venue's health as long; prices are requested every 10 s."""
CURRENT = timedelta(minutes=10)
"""Ratio and skew count as long: two of the account's timed calls, which are five minutes apart."""
LEAST_LEFT = 3
"""So many requests of a second are left to the trader."""

_LEFT = _("requests left in their second")
_NAMES = {UPBIT: _("Prices"), ACCOUNT: _("Account")}
_CALL_LOGS = {UPBIT: call_log.UPBIT, ACCOUNT: call_log.ACCOUNT}
_written: dict[str, int] = {}


def flush() -> None:
    """Write what became of this process's calls since the last time: no statement when there were none.

    Raises:
        django.db.Error: it is written the next time.
    """
    for venue, log in _CALL_LOGS.items():
        summary = log.summary(SYSTEM_CLOCK)
        if summary.version != _written.get(venue, 0):
            _write(venue, summary)
            _written[venue] = summary.version


def _write(venue: str, summary: Summary) -> None:
    facts = {
        "answered": summary.answered,
        "failed": summary.failed,
        "last_success_at": _ago(summary.success_s_ago),
        "last_failure_at": _ago(summary.failure_s_ago),
        "last_failure_kind": summary.failure_kind,
        "p50_ms": summary.p50_ms,
        "skew_s": summary.skew_s,
        "budget": dict(summary.budget),
        "limited_until": _ago(-summary.limited_for_s) if summary.limited_for_s else None,
        "banned": summary.banned,
    }
    rows = VenueEvidence.objects.filter(venue=venue)
    if not rows.update(**facts):
        VenueEvidence.objects.bulk_create([VenueEvidence(venue=venue)], ignore_conflicts=True)
        rows.update(**facts)


def _ago(seconds: float | None) -> object:
    return None if seconds is None else Now() - timedelta(seconds=seconds)


@dataclass(frozen=True)
class VenueStats:
    """One venue's row, and the database's clock when it was read."""

    row: VenueEvidence
    now: datetime

    @property
    def is_young(self) -> bool:
        """Whether the newest call succeeded within `YOUNG`."""
        success, failure = self.row.last_success_at, self.row.last_failure_at
        return success is not None and self.now - success <= YOUNG and (failure is None or success > failure)

    @property
    def calls(self) -> int:
        return self.row.answered + self.row.failed

    @property
    def is_poor(self) -> bool:
        """Whether fewer than half of the last calls were answered."""
        return self.calls > 1 and 2 * self.row.answered < self.calls

    @property
    def newest(self) -> timedelta | None:
        """Time since the newest call; None before the first."""
        moments = [at for at in (self.row.last_success_at, self.row.last_failure_at) if at]
        return self.now - max(moments) if moments else None

    @property
    def is_current(self) -> bool:
        """Whether the newest call is within `CURRENT`, so that ratio and skew count."""
        return self.newest is not None and self.newest <= CURRENT

    @property
    def is_spent(self) -> bool:
        """Whether hardly a request is left in this second."""
        left = self.row.budget.get("ticker", LEAST_LEFT)
        return self.newest is not None and self.newest <= timedelta(seconds=1) and left < LEAST_LEFT

    @property
    def is_limited(self) -> bool:
        return self.row.limited_until is not None and self.now < self.row.limited_until

    @property
    def age_s(self) -> int:
        """Seconds since the last success."""
        return int((self.now - self.row.last_success_at).total_seconds()) if self.row.last_success_at else 0


def read_stats() -> dict[str, VenueStats]:
    """Return what is known of each venue; one query. Raises django.db.Error."""
    return {row.venue: VenueStats(row, row.now) for row in VenueEvidence.objects.annotate(now=Now())}


def facts() -> Sequence[Fact]:
    """Return what the exchange's health is judged by."""
    known = read_stats()
    found = [fact for venue in (UPBIT, ACCOUNT) if venue in known for fact in _facts(venue, known[venue].row)]
    if UPBIT in known and known[UPBIT].row.key_expires_at:
        found.append(Fact("key_expires_at", _("API key expires"), known[UPBIT].row.key_expires_at))
    return found


def _facts(venue: str, row: VenueEvidence) -> Iterator[Fact]:
    values: Sequence[tuple[str, Promise, Value]] = (
        ("last_success_at", _("last answer"), row.last_success_at),
        ("last_failure_at", _("last failure"), row.last_failure_at),
        ("last_failure_kind", _("kind of the last failure"), row.last_failure_kind or None),
        ("answered", _("of its last calls were answered"), f"{row.answered}/{row.answered + row.failed}"),
        ("p50_ms", _("median of the answers in ms"), row.p50_ms and round(row.p50_ms, 1)),
        ("skew_s", _("our clock less the venue's, in s"), row.skew_s and round(row.skew_s, 1)),
        ("limited_until", _("limited until"), row.limited_until),
        *(
            (f"left_{group}", format_lazy("{label} ({group})", label=_LEFT, group=group), left)
            for group, left in row.budget.items()
        ),
    )
    for name, label, value in values:
        if value is not None:
            yield Fact(
                f"{venue}_{name}", format_lazy("{venue}: {label}", venue=_NAMES[venue], label=label), value
            )
