"""Configures logging with structlog, as JSON or text. Long values are cut, and secrets are masked.

Importing this needs no Django settings, since gunicorn's configuration uses it before they exist.
"""

import logging.config
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from tradingsite.masking import MASK, hide_known, mask, names_secret


@contextmanager
def _hidden(package: str) -> Iterator[None]:
    """Make `import package` fail as if it were not installed, unless it is imported already."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]  # documented: such an import fails
    try:
        yield
    finally:
        del sys.modules[package]


# structlog loads rich and pygments where it finds them, for coloured tracebacks: a tenth of every
# command's start. Our tracebacks are plain, since the coloured ones print local variables.
with _hidden("rich"):
    import structlog
    from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["json", "text"]

LONGEST_VALUE = 2_000
LONGEST_FOREIGN = 300
"""For what a client sends (path, Host, agent), since a client could fill the disk with long lines."""

_FOREIGN_LOGGERS = ("django.", "gunicorn.")
_FOREIGN_KEYS = frozenset({"path", "host", "agent", "user_agent"})
_OWN_KEYS = frozenset({"level", "logger", "timestamp"})
_LAST_LINES = 200
_DEEPEST = 8
_MASK_LOOKAHEAD = 4
"""Text is masked at this multiple of its limit before it is cut, since a cut could split a secret."""


def _clean(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Shorten and mask each value before rendering, so that the line stays well-formed."""
    foreign = str(event.get("logger", "")).startswith(_FOREIGN_LOGGERS)
    return {key: _cleaned_field(key, value, foreign=foreign) for key, value in event.items()}


def _cleaned_field(key: str, value: object, *, foreign: bool) -> object:
    if key in _OWN_KEYS:
        return value
    if key in {"exception", "stack"} and isinstance(value, str):
        lines = value.splitlines()[-_LAST_LINES:]
        return "\n".join(_cleaned_text(line, LONGEST_FOREIGN) for line in lines)
    if names_secret(key):
        return MASK
    longest = LONGEST_FOREIGN if key in _FOREIGN_KEYS or (foreign and key == "event") else LONGEST_VALUE
    return _cleaned(value, longest)


def _cleaned(value: object, longest: int, depth: int = 0) -> object:
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)  # JSON has neither NaN nor infinity
    if isinstance(value, str):
        return _cleaned_text(value, longest)
    if depth < _DEEPEST and isinstance(value, Mapping):
        return dict(_cleaned_item(key, inner, longest, depth) for key, inner in value.items())
    if depth < _DEEPEST and isinstance(value, list | tuple):
        return [_cleaned(inner, longest, depth + 1) for inner in value]
    return _cleaned_text(repr(value), LONGEST_FOREIGN)


def _cleaned_item(key: object, value: object, longest: int, depth: int) -> tuple[str, object]:
    name = str(key)
    return _cleaned_text(name, longest), MASK if names_secret(name) else _cleaned(value, longest, depth + 1)


def _cleaned_text(text: str, longest: int) -> str:
    masked = mask(text[: _MASK_LOOKAHEAD * longest])
    return masked if len(masked) <= longest else f"{masked[:longest]}…"


class _BareMaskedLine(logging.Formatter):
    """For JobMetric lines: each is a JSON line of its own, in every log format."""

    def format(self, record: logging.LogRecord) -> str:
        return hide_known(record.getMessage())


def chosen_format(configured: LogFormat | None) -> LogFormat:
    """Return the configured format; by default text on a terminal and JSON elsewhere."""
    return configured or ("text" if sys.stderr.isatty() else "json")


def _renderer(log_format: LogFormat) -> Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)


_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def logging_config(log_format: LogFormat, level: str) -> Mapping[str, Any]:
    """Return the `dictConfig` of every process.

    All logs go to stderr, so that stdout is a command's own output.
    """
    through_root = {"handlers": [], "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,  # the rich traceback prints local variables
                    _clean,
                    _renderer(log_format),
                ],
            },
            "bare": {"()": _BareMaskedLine},
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
            "bare": {"class": "logging.StreamHandler", "formatter": "bare"},
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "tradingsite.jobs.job_metric": {"handlers": ["bare"], "level": "INFO", "propagate": False},
            "apscheduler": {"level": "WARNING"},
            "urllib3": {
                "level": "WARNING"
            },  # at lower levels it logs paths, and the path of a webhook is secret
            "django": through_root,
            "django.server": through_root,
            "gunicorn.error": through_root,
            "gunicorn.access": {**through_root, "level": "WARNING"},
        },
    }


def configure(log_format: LogFormat, level: str) -> None:
    """Set up structlog and the standard logging."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    logging.config.dictConfig(dict(logging_config(log_format, level)))
