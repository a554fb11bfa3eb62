"""Faults on request: decides which incoming request goes wrong, and how (docs/sandbox-faults.md SF5-SF6)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from math import isfinite
from threading import Lock

from tradingsite.sandbox.exchange.routes import post
from tradingsite.sandbox.faults.exchange_faults import (
    EXCHANGE_FAULTS,
    ORDERS,
    FaultableExchange,
    FaultContext,
    FaultKind,
    Process,
)
from tradingsite.sandbox.faults.model_faults import MODEL_FAULTS
from tradingsite.sandbox.http.messages import Request, Response
from tradingsite.sandbox.quotation.markets import markets

KINDS: Mapping[str, FaultKind] = {**EXCHANGE_FAULTS, **MODEL_FAULTS}
"""Every kind of fault by its name."""
_FAULTY = ("/v1/", "/v1beta/")  # never the control endpoint
_LARGEST = 1_000_000


@dataclass(frozen=True)
class Fault:
    """A fault for requests to `path` by `method`: from the `nth` one, every `every`-th, `times` in all.

    Empty or None means the default of the kind. `path` may contain `*` and `?`. `times` 0 means until the
    faults are cleared. With `after` the request is processed before the fault replaces its answer. `market`
    is for market_offline.

    Raises:
        ValueError: the text names field, value and rule.
    """

    kind: str
    path: str = ""
    method: str = ""
    nth: int = 1
    times: int | None = None
    every: int = 1
    seconds: float | None = None
    after: bool = False
    market: str = ""

    def __post_init__(self) -> None:
        wrong = _wrong_kind(self) or _wrong_number(self) or _wrong_extra(self)
        if wrong:
            raise ValueError(wrong)


def _wrong_kind(fault: Fault) -> str:
    return "" if fault.kind in KINDS else f"kind is {fault.kind!r}: it must be one of {', '.join(KINDS)}"


def _wrong_number(fault: Fault) -> str:
    for name, least in (("nth", 1), ("every", 1), ("times", 0), ("seconds", 0)):
        value = getattr(fault, name)
        if value is not None and not (isfinite(value) and least <= value <= _LARGEST):
            return f"{name} is {value}: it must be between {least} and {_LARGEST}"
    return ""


def _wrong_extra(fault: Fault) -> str:
    if fault.after and not KINDS[fault.kind].answers_itself:
        return f"after is set: {fault.kind} processes the request anyway"
    if fault.kind == "market_offline" and fault.market not in markets():
        return f"market is {fault.market!r}: market_offline needs one of the sandbox's markets"
    if fault.market and fault.kind != "market_offline":
        return f"market is {fault.market!r}: {fault.kind} takes none, only market_offline does"
    return ""


@dataclass
class _Armed:
    fault: Fault
    seen: int = 0
    struck: int = 0

    @property
    def kind(self) -> FaultKind:
        return KINDS[self.fault.kind]

    @property
    def times(self) -> int:
        return self.kind.times if self.fault.times is None else self.fault.times

    def matches(self, request: Request) -> bool:
        method, path = self.fault.method or self.kind.method, self.fault.path or self.kind.path
        return method.upper() in {"*", request.method} and fnmatchcase(request.path, path)

    @property
    def is_due(self) -> bool:
        return self.seen >= self.fault.nth + self.struck * self.fault.every

    @property
    def is_over(self) -> bool:
        return bool(self.times) and self.struck >= self.times


class Faults:
    """The armed faults, oldest first. Thread-safe."""

    def __init__(self, exchange: FaultableExchange) -> None:
        self._exchange = exchange
        self._lock = Lock()
        self._armed: list[_Armed] = []

    def add(self, fault: Fault) -> None:
        """Arm a fault: it counts requests from now on."""
        with self._lock:
            self._armed.append(_Armed(fault))
            if fault.market:
                self._exchange.offline.add(fault.market)

    def clear(self) -> None:
        """Disarm all faults, put every market online, and drop fill plans for orders not yet placed."""
        with self._lock:
            self._armed.clear()
            self._exchange.offline.clear()
            self._exchange.next_fills.clear()

    def armed(self) -> list[dict[str, object]]:
        """Return the faults still armed, with how many requests they have counted and hit."""
        with self._lock:
            return [
                {**asdict(armed.fault), **_effective(armed), "seen": armed.seen, "struck": armed.struck}
                for armed in self._armed
            ]

    def answer(self, request: Request, process: Process) -> tuple[Response, str]:
        """Answer the request; also return the kind of fault applied, "" for none."""
        fault = self._due_fault(request) if request.path.startswith(_FAULTY) else None
        if fault is None:
            return process(request), ""
        return self._apply_fault(fault, request, process), fault.kind

    def _due_fault(self, request: Request) -> Fault | None:
        """Count the request for every matching fault, and return the oldest that is due."""
        with self._lock:
            matching = [armed for armed in self._armed if armed.matches(request)]
            for armed in matching:
                armed.seen += 1
            due = next((armed for armed in matching if armed.is_due), None)
            if due is None:
                return None
            due.struck += 1
            if due.is_over:
                self._armed.remove(due)
            return due.fault

    def _apply_fault(self, fault: Fault, request: Request, process: Process) -> Response:
        kind = KINDS[fault.kind]
        processed = False

        def tracked(request: Request) -> Response:
            nonlocal processed
            processed = True
            return process(request)

        if fault.after:
            tracked(request)
        seconds = kind.seconds if fault.seconds is None else fault.seconds
        response = kind.effect(FaultContext(request, tracked, seconds, self._exchange))
        if not processed and (request.method, request.path) == ("POST", ORDERS):
            self._exchange.record_post(post(request, 0))  # it arrived, even though it was not processed
        return response


def _effective(armed: _Armed) -> dict[str, object]:
    fault, kind = armed.fault, armed.kind
    return {
        "path": fault.path or kind.path,
        "method": fault.method or kind.method,
        "times": armed.times,
        "seconds": kind.seconds if fault.seconds is None else fault.seconds,
    }
