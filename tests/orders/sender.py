"""A process that sends one committed intent, to be killed at a moment of the test's choice.

`python -m tests.orders.sender URL ORDER_ID` says "asked" on its standard output right before it sends, and
sends when it may read a line.
"""

import sys
from contextlib import suppress


def main() -> None:
    """Send the order."""
    import django

    django.setup()
    from django.db import OperationalError, connection

    for _ in range(5):  # a busy machine may be slow to connect; this is not what is tested
        with suppress(OperationalError):
            connection.ensure_connection()
            break
    from tradingsite.clients.upbit.exchange import UpbitExchange
    from tradingsite.orders.execution.submission import submit
    from tradingsite.orders.models import Order
    from tradingsite.sandbox.options import ApiKey

    url, order_id = sys.argv[1:]
    key = ApiKey()
    client = UpbitExchange(url, key.access_key, key.secret_key, retries=0)
    submit(client, Order.objects.get(pk=order_id), may_post=_told_to)


def _told_to() -> bool:
    sys.stdout.write("asked\n")
    sys.stdout.flush()
    return bool(sys.stdin.readline())


if __name__ == "__main__":
    main()
