"""`manage.py sandbox`: runs the local exchange and model host, or controls the one that runs."""

import argparse
import errno
import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from healthcheck.management.examples import ExamplesFormatter
from tradingsite.sandbox.control_client import NoSandbox, RequestRefused, ask
from tradingsite.sandbox.exchange.journal import StateFileError
from tradingsite.sandbox.faults.arming import KINDS
from tradingsite.sandbox.gemini.generator import DECISIONS
from tradingsite.sandbox.options import DEFAULT_SEED, Options
from tradingsite.sandbox.quotation.markets import markets
from tradingsite.sandbox.quotation.relay import UPBIT_URL
from tradingsite.sandbox.server import SandboxServer

logger = structlog.get_logger(__name__)
_STATE_FILE = "sandbox-exchange.json"
_FAULT_FIELDS = ("kind", "path", "method", "nth", "every", "times", "seconds", "after", "market")
_EXAMPLES = """\
examples:
  manage.py sandbox fault add drop_after --path /v1/orders --method POST
      the next order is placed, but its answer never arrives
  manage.py sandbox fault add 503 --path '/v1/ticker*' --nth 3 --times 5
      the third to the seventh request for tickers get an HTML page
  manage.py sandbox fault add latency --seconds 2 --times 0
      every answer of the exchange takes two seconds, until `fault clear`
  manage.py sandbox fault add model_429_day
      the model's daily quota is used up, for one call
"""


class Command(BaseCommand):
    requires_system_checks = ()  # needs neither the site nor the database

    def add_arguments(self, parser: CommandParser) -> None:
        parser.description = _(
            "Run the local exchange and model host on loopback until SIGTERM or Ctrl-C, "
            "or, with answer or fault, control the running one "
            "(docs/sandbox.md, docs/sandbox-faults.md)."
        )
        parser.add_argument(
            "--port", type=int, default=settings.SANDBOX_PORT, help=_("0 chooses a free one.")
        )
        parser.add_argument(
            "--seed", type=int, default=DEFAULT_SEED, help=_("Another seed gives other prices.")
        )
        parser.add_argument(
            "--state",
            type=Path,
            help=_("Where orders and balances are kept; default: VAR_DIR/%s.") % _STATE_FILE,
        )
        parser.add_argument(
            "--relay",
            nargs="?",
            const=UPBIT_URL,
            metavar="URL",
            help=_("Quotation comes from this exchange, by default %s; orders stay here.") % UPBIT_URL,
        )
        actions = parser.add_subparsers(dest="action", title=_("control the running sandbox"), metavar="")
        _add_answer(actions)
        faults = actions.add_parser("fault", help=_("make requests go wrong: add, list, clear"))
        _add_faults(faults.add_subparsers(dest="fault_action", required=True, metavar="{add,list,clear}"))

    def handle(self, *, action: str | None, **options: Any) -> None:
        if options["port"] is None:  # live mode has no sandbox
            raise CommandError(_("no port is set: set SANDBOX_PORT, or --port, to a free one"))
        if action is None:
            _run(**{name: options[name] for name in ("port", "seed", "state", "relay")})
            return
        method, path, body = _order_of(options) if action == "answer" else _fault_of(options)
        try:
            answer = ask(options["port"], method, path, body)
        except NoSandbox as error:
            hint = _("%s: start one with `make run` or `manage.py sandbox`, or name its port with --port")
            raise CommandError(hint % error) from error
        except RequestRefused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(answer) if options["as_json"] else _as_text(answer))


def _common(parser: argparse.ArgumentParser) -> None:
    # a default here would override an option given before the sub-command
    parser.add_argument("--port", type=int, default=argparse.SUPPRESS, help=_("Default: SANDBOX_PORT."))
    parser.add_argument("--json", action="store_true", dest="as_json", help=_("Print the answer as JSON."))


def _add_answer(actions: Any) -> None:
    answer = actions.add_parser("answer", help=_("set the model's next decision: BUY, SELL or HOLD"))
    answer.add_argument("decision", choices=DECISIONS)
    answer.add_argument("--confidence", default="0.9", help=_("0 to 1; default: 0.9."))
    answer.add_argument("--times", type=int, default=1, help=_("For how many answers; default: 1."))
    _common(answer)


def _add_faults(actions: Any) -> None:
    kinds = "\n".join(f"  {name:28} {kind.help}" for name, kind in KINDS.items())
    add = actions.add_parser(
        "add",
        help=_("make requests go wrong"),
        epilog="\n".join([_EXAMPLES, _("kinds:"), kinds]),
        formatter_class=ExamplesFormatter,
    )
    add.add_argument("kind", choices=KINDS, metavar="KIND")
    add.add_argument("--path", help=_("Which path, with * and ?; the default depends on the kind."))
    add.add_argument("--method", type=str.upper, help=_("Which method; the default depends on the kind."))
    add.add_argument("--nth", type=int, help=_("The first request that goes wrong, counted from now; 1."))
    add.add_argument("--every", type=int, help=_("From then on every Nth request; 1."))
    add.add_argument("--times", type=int, help=_("How many in total; 0: until cleared. Most kinds: 1."))
    add.add_argument("--seconds", type=float, help=_("What it means depends on the kind."))
    add.add_argument("--after", action="store_const", const=True, help=_("Process the request first."))
    add.add_argument("--market", help=_("For market_offline, e.g. KRW-BTC."))
    _common(add)
    _common(actions.add_parser("list", help=_("show the faults that are still armed")))
    _common(actions.add_parser("clear", help=_("remove all faults; markets come back")))


def _order_of(options: Mapping[str, Any]) -> tuple[str, str, Mapping[str, object]]:
    return "POST", "/sandbox/answer", {name: options[name] for name in ("decision", "confidence", "times")}


def _fault_of(options: Mapping[str, Any]) -> tuple[str, str, Mapping[str, object] | None]:
    if options["fault_action"] != "add":
        return {"list": "GET", "clear": "DELETE"}[options["fault_action"]], "/sandbox/faults", None
    given = {name: options[name] for name in _FAULT_FIELDS if options[name] is not None}
    return "POST", "/sandbox/faults", given


def _as_text(answer: Mapping[str, Any]) -> str:
    if "queued" in answer:
        lines = [f"{each['decision']} {each['confidence']}" for each in answer["queued"]]
        return _("The model's next decisions: %s") % ", ".join(lines)
    return "\n".join(_line(fault) for fault in answer["faults"]) or _("No fault is armed.")


def _line(fault: Mapping[str, Any]) -> str:
    where = fault["market"] or f"{fault['method']} {fault['path']}"
    often = {0: _("until cleared"), 1: _("once")}.get(fault["times"]) or _("%d times") % fault["times"]
    struck = _("struck %(struck)d of %(seen)d seen") % fault
    each = _(", each %d.") % fault["every"] if fault["every"] > 1 else ""
    seconds = f", {fault['seconds']:g} s" if fault["seconds"] else ""
    begin = _("from request %d") % fault["nth"]
    return f"{fault['kind']}: {where}, {begin}{each}, {often}{seconds}; {struck}"


def _run(port: int, seed: int, state: Path | None, relay: str | None) -> None:
    state_file = state or settings.VAR_DIR / _STATE_FILE
    server = _bound(port, seed, state_file, relay)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    facts = {"url": server.url, "seed": seed, "markets": len(markets()), "state": str(state_file)}
    logger.info("sandbox.started", **facts, **({"relay": relay} if relay else {}))
    server.serve()
    server.close()
    logger.info("sandbox.stopped")


def _bound(port: int, seed: int, state: Path, relay: str | None) -> SandboxServer:
    try:
        return SandboxServer(port=port, seed=seed, options=Options(relay_url=relay), state_file=state)
    except StateFileError as error:
        raise CommandError(_("%s. Name another with --state.") % error) from error
    except ValueError as error:
        raise CommandError(str(error)) from error
    except (OSError, OverflowError) as error:
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        reason = _("it is in use") if taken else str(error)
        message = _("cannot listen on port %(port)d: %(reason)s. Set SANDBOX_PORT, or --port, to a free one.")
        raise CommandError(message % {"port": port, "reason": reason}) from error
