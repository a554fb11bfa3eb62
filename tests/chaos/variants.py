"""The project's client of the exchange, and two broken ones whose faults a chaos run must find.

Both do what is natural when no answer comes: they ask again.
"""

import uuid
from dataclasses import replace

from tradingsite.clients.factory import exchange_client
from tradingsite.clients.upbit.exchange import UpbitExchange
from tradingsite.clients.upbit.outcome import Unknown


class AskingAgain(UpbitExchange):
    """Sends an order again when its outcome is not known."""

    def place(self, request, **bounds):
        outcome = super().place(request, **bounds)
        if isinstance(outcome, Unknown):
            outcome = super().place(self.again(request), **bounds)
        return outcome

    def again(self, request):
        raise NotImplementedError


class WithANewIdentifier(AskingAgain):
    """Doubles the orders whose answer was lost."""

    def again(self, request):
        return replace(request, identifier=f"again-{uuid.uuid4()}")


class WithTheSameIdentifier(AskingAgain):
    """Doubles nothing, but only because the exchange refuses: two POSTs for one intent."""

    def again(self, request):
        return request


VARIANTS = {"new": WithANewIdentifier, "same": WithTheSameIdentifier}


def exchange(variant: str) -> UpbitExchange:
    """Return the client that the named variant uses; without a name the project's own."""
    client = exchange_client(retries=0)
    if variant:
        client.__class__ = VARIANTS[variant]
    return client
