"""After the faults: reconciles three times, five minutes apart, then prints our orders and positions as JSON.

`python -m tests.chaos.aftermath` is a new process, as one that starts after a crash.
"""

import json
import sys
from datetime import timedelta


def main() -> None:
    """Print one JSON object: `rows`, `positions` and the counts of each round."""
    import django

    django.setup()
    from tests.chaos.trader import SIMULATED_CLOCK, now
    from tradingsite.clients.factory import exchange_client
    from tradingsite.orders.models import Order, OrderEvent
    from tradingsite.orders.portfolio.positions import positions
    from tradingsite.orders.reconciliation.round import reconcile

    start = now()
    moments = [start + timedelta(minutes=5 * number) for number in range(3)]
    rounds = [dict(reconcile(exchange_client(), moment, clock=SIMULATED_CLOCK)) for moment in moments]
    fields = (
        "identifier",
        "market",
        "side",
        "cause",
        "state",
        "reason",
        "executed_volume",
        "executed_funds",
        "paid_fee",
    )
    report = {
        "rounds": rounds,
        "went_unknown": OrderEvent.objects.filter(what="moved", state_after="UNKNOWN").count(),
        "rows": list(Order.objects.values(*fields)),
        "positions": {holding.market: holding.volume for holding in positions()},
    }
    sys.stdout.write(json.dumps(report, default=str) + "\n")


if __name__ == "__main__":
    main()
