"""A process that decides once and prints "calling" before the model's call; a test kills it there."""

import sys
from datetime import timedelta
from decimal import Decimal

import django
from django.conf import settings


def main(url: str, database: str) -> None:
    settings.DATABASES["default"]["NAME"] = database
    django.setup()
    from sysconfig.models import SystemConfig
    from tests.strategy.market import MARKET, TICK
    from tradingsite.clients.gemini.generation import GeminiModel
    from tradingsite.clients.upbit.client import UpbitClient
    from tradingsite.risk.inputs import Position
    from tradingsite.sandbox.options import GEMINI_KEY
    from tradingsite.strategy import evaluation

    class Announced(GeminiModel):
        def generate(self, request, *, within_s=45.0):
            sys.stdout.write("calling\n")
            sys.stdout.flush()
            return super().generate(request, within_s=within_s)

    exchange = UpbitClient(url, read_timeout_s=60, wall_clock_s=60)
    [ticker] = exchange.tickers([MARKET])
    evaluation.decide(
        MARKET,
        TICK,
        TICK,
        SystemConfig.objects.snapshot(),
        exchange,
        Announced(url, GEMINI_KEY),
        position=Position(MARKET, Decimal(0), Decimal(0)),
        price=ticker.trade_price,
        price_seen_at=TICK - timedelta(seconds=1),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
