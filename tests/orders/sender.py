"""A process that sends one committed intent; a test kills it at a moment of its choice.

`python -m tests.orders.sender URL ORDER_ID` prints "ready" right before the POST, and
sends when it has read a line.
"""

import sys
from contextlib import suppress


def main() -> None:
    """Send the order."""
    import django

    django.setup()
    from django.db import OperationalError, connection

    for _ in range(5):  # a busy machine may be slow to connect
        with suppress(OperationalError):
            connection.ensure_connection()
            break
    from tradingsite.clients.upbit.exchange import UpbitExchange
    from tradingsite.orders.execution import submission
    from tradingsite.orders.models import Order
    from tradingsite.sandbox.options import ApiKey

    url, order_id = sys.argv[1:]
    key = ApiKey()
    client = UpbitExchange(url, key.access_key, key.secret_key, retries=0)
    # The test kills this process; a limit must not end it first.
    submission.SEND_WITHIN_S = submission.POST_WITHIN_S = 600
    submission.submit(client, Order.objects.get(pk=order_id), may_post=_wait_for_a_line)


def _wait_for_a_line() -> bool:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    return bool(sys.stdin.readline())


if __name__ == "__main__":
    main()
