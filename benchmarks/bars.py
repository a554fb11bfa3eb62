"""Every bar of the project: what is measured, next to which peer, and how fast is fast enough."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Bar:
    """One line of the table.

    Attributes:
        key: the part of the bench that measures it, a dot, and a name.
        unit: of our figure and of the peer's.
        limit: of the ratio, or of our own figure.
        at_least: the figure must be no smaller than `limit`; otherwise no larger.
        elsewhere: who measures it where `make bench` does not, and why not.
    """

    key: str
    name: str
    unit: str
    peer: str
    limit: float
    judged: Literal["ratio", "ours"] = "ratio"
    at_least: bool = False
    elsewhere: str = ""

    @property
    def part(self) -> str:
        return self.key.partition(".")[0]

    @property
    def text(self) -> str:
        unit = "x" if self.judged == "ratio" else self.unit
        return f"{'>=' if self.at_least else '<='} {self.limit:g} {unit}".rstrip()

    def met(self, figure: float) -> bool:
        return figure >= self.limit if self.at_least else figure <= self.limit


_CHECK, _APS = "django-health-check", "plain django-apscheduler"
_PLAIN_VIEW = "a bare view of plain Django"
_LARGE = "the rows take hours to write; the work on large tables brings its own make target"

BARS = (
    Bar("startup.check", "`./manage.py check`", "s CPU", "the same in a fresh startproject", 2.5),
    Bar("config.hit", "`get_value` bound once, a hit", "ns", "`dict.get`", 10),
    Bar("config.threads", "the same hit, four threads", "ns", "one thread", 1.2),
    Bar("config.push", "commit until another process reads it, p99", "ms", "LISTEN/NOTIFY round trip", 3),
    Bar(
        "stress.stale", "stale reads in a million", "reads", "a naive cache", 0, "ours",
        elsewhere="`make stress-config`, four minutes",
    ),
    Bar("health.own", "detail JSON, anonymous", "1/s", "a bare view of this site", 0.9, at_least=True),
    Bar("health.plain", "detail JSON, anonymous", "1/s", _PLAIN_VIEW, 0.9, at_least=True),
    Bar("health.bearer", "detail JSON, bearer token", "1/s", _PLAIN_VIEW, 0.9, at_least=True),
    Bar("health.stuck", "a probe hangs, limit 1 s: the answer", "s", _CHECK, 1.1, "ours"),
    Bar("health.pages", "a bare page meanwhile", "ms", "the same page when calm", 1.2),
    Bar("health.flights", "runs of the stuck probe at once, a process", "runs", _CHECK, 1, "ours"),
    Bar("health.sessions", "100 pollers: new database sessions", "sessions", _CHECK, 0, "ours"),
    Bar("health.runs", "100 pollers: runs of a probe, a process and TTL", "runs", "", 1, "ours"),
    Bar("health.ping", "container probe", "ms", "a process with a stdlib HTTP GET", 1.5),
    Bar(
        "scale.page", "status page with a million samples", "ms", "the same without a past", 3,
        elsewhere="`make scale-health`, two minutes",
    ),
    Bar("scheduler.statements", "SQL statements a run", "", _APS, 0.7),
    Bar("scheduler.late", "start lateness, p99", "ms", _APS, 50, "ours"),
    Bar("scheduler.cpu", "idle: of a core", "%", _APS, 1, "ours"),
    Bar("scheduler.idle", "idle: SQL statements a second", "1/s", _APS, 5, "ours"),
    Bar("scheduler.all_on", "the same with health and its history on", "1/s", _APS, 5, "ours"),
    Bar("scheduler.memory", "idle: resident memory", "MB", _APS, 100, "ours"),
    Bar(
        "chaos.leader", "new leader after `kill -9`, p99", "s", f"{_APS} has none", 5, "ours",
        elsewhere="`make chaos-scheduler`, seven minutes",
    ),
    Bar(
        "chaos.twice", "runs that happen twice", "runs", _APS, 0, "ours",
        elsewhere="`make chaos-scheduler`, seven minutes",
    ),
    Bar("markets.tick", "storing one tick of 246 markets", "ms", "a bare COPY", 1.5),
    Bar("markets.wal", "a poll of 246 markets, nothing changed: WAL", "KiB", "", 25, "ours"),
    Bar("markets.halted", "`check_volatility`, 246 markets halted", "ms", "all calm", 2),
    Bar("page.speed", "status page, 246 markets", "1/s", "a bare view of this site", 0.5, at_least=True),
    Bar("page.size", "its size", "KB", "", 60, "ours"),
    Bar("masking.hostile", "masking 64 KB of hostile text, the worst pattern", "ms", "", 50, "ours"),
    Bar("large.window", "5-minute window query at 100 M rows", "ms", "1 M rows", 2, elsewhere=_LARGE),
    Bar("large.retention", "retention at 100 M rows", "s", "10 M rows", 1.2, elsewhere=_LARGE),
    Bar("large.book", "trade book reads at 1 M orders", "ms", "10 k orders", 1.5, elsewhere=_LARGE),
    Bar(
        "suite.time", "`make test` on two cores", "min", "", 4, "ours",
        elsewhere="`time make test`, on a machine with nothing else to do",
    ),
    Bar(
        "suite.cpu", "the same, CPU", "min", "", 7.5, "ours",
        elsewhere="`time make test`, user and sys",
    ),
)  # fmt: skip


def bar(key: str) -> Bar:
    return next(each for each in BARS if each.key == key)
