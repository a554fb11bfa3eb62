"""`manage.py giveup IDENTIFIER`: ends an order whose fate the account's balance cannot prove."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from tradingsite.clients.errors import ClientError
from tradingsite.clients.factory import exchange_client
from tradingsite.orders.reconciliation import lost_orders
from tradingsite.startup import CannotStart, refuse_unless_ready


class Command(BaseCommand):
    """For an operator who knows what moved the coins (docs/orders.md, "When an order stays UNKNOWN")."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.description = _(
            "Give up an UNKNOWN order that the exchange does not show. Changes no balance."
        )
        parser.add_argument("identifier", metavar="IDENTIFIER", help=_("our name of the order, ts-…"))
        parser.add_argument("--by", required=True, metavar="NAME", help=_("who vouches for it"))
        parser.add_argument("--reason", required=True, metavar="TEXT", help=_("what moved the coins"))

    def handle(self, *, identifier: str, by: str, reason: str, **options: Any) -> None:
        try:
            refuse_unless_ready()
            lost_orders.give_up_by_hand(exchange_client(), identifier, by, reason, timezone.now())
        except (CannotStart, ClientError, lost_orders.NotGivenUp) as refused:
            raise CommandError(str(refused)) from refused
        self.stdout.write(_("%s is given up; its market may be bought again.") % identifier)
