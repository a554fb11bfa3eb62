"""Shares the record of the trader's calls to the exchange between processes (docs/market-data.md M10, M11).

The scheduler makes the calls and writes their statistics to the database; health probes read them.
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
FRESH = timedelta(seconds=30)
"""How long the last successful call proves that the exchange works; prices are requested every 10 s."""
CURRENT = timedelta(minutes=10)
"""How long success ratio and clock difference count: the account is called every five minutes."""
RESERVED_REQUESTS = 3
"""Requests per second left to the trader; a probe does not use them."""

_REQUESTS_LEFT = _("requests left this second")
_NAMES = {UPBIT: _("Prices"), ACCOUNT: _("Account")}
_CALL_LOGS = {UPBIT: call_log.UPBIT, ACCOUNT: call_log.ACCOUNT}
_saved_versions: dict[str, int] = {}


def flush() -> None:
    """Write the statistics of this process's calls to the database, if there were new calls.

    Raises:
        django.db.Error: the next call of `flush` writes them.
    """
    for venue, log in _CALL_LOGS.items():
        summary = log.summary(SYSTEM_CLOCK)
        if summary.version != _saved_versions.get(venue, 0):
            _write(venue, summary)
            _saved_versions[venue] = summary.version


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
    """One API's row, and the database's clock when it was read."""

    row: VenueEvidence
    now: datetime

    @property
    def is_fresh(self) -> bool:
        """Whether the newest call succeeded, at most `FRESH` ago."""
        success, failure = self.row.last_success_at, self.row.last_failure_at
        return success is not None and self.now - success <= FRESH and (failure is None or success > failure)

    @property
    def calls(self) -> int:
        return self.row.answered + self.row.failed

    @property
    def mostly_failed(self) -> bool:
        """Whether fewer than half of the last calls were answered."""
        return self.calls > 1 and 2 * self.row.answered < self.calls

    @property
    def newest(self) -> timedelta | None:
        """Time since the newest call; None if there was none."""
        moments = [at for at in (self.row.last_success_at, self.row.last_failure_at) if at]
        return self.now - max(moments) if moments else None

    @property
    def is_current(self) -> bool:
        """Whether the newest call is at most `CURRENT` ago, so that ratio and clock difference count."""
        return self.newest is not None and self.newest <= CURRENT

    @property
    def budget_is_low(self) -> bool:
        """Whether only the trader's reserve is left of this second's requests."""
        left = self.row.budget.get("ticker", RESERVED_REQUESTS)
        return self.newest is not None and self.newest <= timedelta(seconds=1) and left < RESERVED_REQUESTS

    @property
    def is_limited(self) -> bool:
        return self.row.limited_until is not None and self.now < self.row.limited_until

    @property
    def age_s(self) -> int:
        """Seconds since the last success; 0 if there was none."""
        return int((self.now - self.row.last_success_at).total_seconds()) if self.row.last_success_at else 0


def read_stats() -> dict[str, VenueStats]:
    """Return the statistics of each API, with one query. Raises django.db.Error."""
    return {row.venue: VenueStats(row, row.now) for row in VenueEvidence.objects.annotate(now=Now())}


def facts() -> Sequence[Fact]:
    """Return the evidence shown on the exchange's health page."""
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
        ("answered", _("last calls answered"), f"{row.answered}/{row.answered + row.failed}"),
        ("p50_ms", _("median of the answers in ms"), row.p50_ms and round(row.p50_ms, 1)),
        ("skew_s", _("our clock less the venue's, in s"), row.skew_s and round(row.skew_s, 1)),
        ("limited_until", _("limited until"), row.limited_until),
        *(
            (f"left_{group}", format_lazy("{label} ({group})", label=_REQUESTS_LEFT, group=group), left)
            for group, left in row.budget.items()
        ),
    )
    for name, label, value in values:
        if value is not None:
            yield Fact(
                f"{venue}_{name}", format_lazy("{venue}: {label}", venue=_NAMES[venue], label=label), value
            )
