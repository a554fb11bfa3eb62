"""Logging: structlog over the standard logging, JSON or readable; every finished line is masked.

Importing this needs no Django settings: gunicorn.conf.py uses it before there are any.
"""

import logging.config
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["json", "text"]

# What must never be readable in a log, whoever writes it: passwords in URLs, bearer tokens, JWTs, API keys by
# their name, and amounts of money on the account.
_URL_PASSWORD = re.compile(r"(\w+://[^\s:/@]*):[^\s@]+@")
_SCHEME_TOKEN = re.compile(r"(?i)\b(bearer|basic)(\s+)[\w.~+/=-]+")
_JWT = re.compile(r"\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*")
_NAMED = re.compile(
    r"""(?ix)
    (?P<name> \b[\w-]*(?:access_key|secret_key|api[_-]?key|password|passwd|token|secret|authorization
                        |balance|locked|avg_buy_price) )
    (?P<close> \\*["']? ) (?P<is> \s*[=:]\s* )
    (?: Decimal\( (?P<amount> ['"] ) .*? (?P=amount) \)
      | (?P<quote> \\*["'] ) (?![,}\]]) .*? (?P=quote)
      | [^\s,;}\])"'\\]+ )
    """
)
_secrets: tuple[str, ...] = ()


def know_secrets(values: Iterable[str]) -> None:
    """Mask these very texts too, wherever they appear. Texts under eight characters are not secret enough."""
    global _secrets  # noqa: PLW0603 - set once, when settings are read
    _secrets = tuple(sorted({value for value in values if len(value) >= 8}, key=len, reverse=True))


def mask(text: str) -> str:
    """Return `text` with every known secret and everything that looks like one replaced by `***`."""
    for secret in _secrets:
        text = text.replace(secret, "***")
    text = _URL_PASSWORD.sub(r"\1:***@", text)
    text = _SCHEME_TOKEN.sub(r"\1\2***", text)
    return _NAMED.sub(_hide_value, _JWT.sub("***", text))


def _hide_value(found: re.Match[str]) -> str:
    # A bare value after a quoted name is a JSON number: quoted, the line stays JSON.
    quote = found["quote"] or found["close"]
    return f"{found['name']}{found['close']}{found['is']}{quote}***{quote}"


def _mask_line(_logger: WrappedLogger, _name: str, line: str | bytes | EventDict) -> str:
    return mask(str(line))


class _BareMaskedLine(logging.Formatter):
    """A JobMetric is its own JSON line in every log format."""

    def format(self, record: logging.LogRecord) -> str:
        return mask(record.getMessage())


def chosen_format(configured: LogFormat | None) -> LogFormat:
    """Return the configured format, else text on a terminal and JSON anywhere else."""
    return configured or ("text" if sys.stderr.isatty() else "json")


def _renderers(log_format: LogFormat) -> list[Processor]:
    # Plain tracebacks only: the rich ones print local variables, and those hold keys.
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]


_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def logging_config(log_format: LogFormat, level: str) -> Mapping[str, Any]:
    """Return the `dictConfig` of every process: all to stderr, so that a command's output stays its own."""
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
                    *_renderers(log_format),
                    _mask_line,
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
            "urllib3": {"level": "WARNING"},  # below it tells paths, and a webhook's is its secret
            "django": through_root,
            "django.server": through_root,
            "gunicorn.error": through_root,
            "gunicorn.access": {**through_root, "level": "WARNING"},
        },
    }


def configure(log_format: LogFormat, level: str) -> None:
    """Set up structlog and the standard logging of this process."""
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
