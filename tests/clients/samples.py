"""Bodies as Upbit and Gemini send them."""

import json
from typing import Any

TICKER = """{"market":"KRW-BTC","trade_date":"20250704","trade_time":"051400","trade_date_kst":"20250704",
"trade_time_kst":"141400","trade_timestamp":1751606040365,"opening_price":148737000.00000000,
"high_price":149360000.0,"low_price":148288000,"trade_price":148601000,"prev_closing_price":148737000,
"change":"FALL","change_price":136000,"change_rate":0.0009143656,"signed_change_price":-136000,
"signed_change_rate":-0.0009143656,"trade_volume":0.00016823,"acc_trade_price":31615925234.05438,
"acc_trade_price_24h":178448329314.96686,"acc_trade_volume":212.38911576,"acc_trade_volume_24h":1198.26954807,
"highest_52_week_price":163325000,"highest_52_week_date":"2025-01-20","lowest_52_week_price":72100000,
"lowest_52_week_date":"2024-08-05","timestamp":1751606040403}"""

CANDLE = """{"market":"KRW-BTC","candle_date_time_utc":"2025-07-01T12:00:00",
"candle_date_time_kst":"2025-07-01T21:00:00","opening_price":145831000,"high_price":145831000,
"low_price":145752000,"trade_price":145759000,"timestamp":1751327999833,
"candle_acc_trade_price":4022470467.03403,"candle_acc_trade_volume":27.58904602"""
MINUTE_CANDLE = CANDLE + ',"unit":1}'
DAY_CANDLE = CANDLE + ',"prev_closing_price":145900000,"change_price":-141000,"change_rate":-0.0009664153}'

ORDERBOOK = """{"market":"KRW-BTC","timestamp":1751606867762,"total_ask_size":10.37591054,
"total_bid_size":15.77734058,"orderbook_units":[{"ask_price":148520000,"bid_price":148490000,
"ask_size":0.0134662,"bid_size":0.04296774}],"level":0}"""

INSTRUMENT = (
    '{"market":"KRW-BTC","quote_currency":"KRW","tick_size":"1000","supported_levels":["0","10000",100000]}'
)

MARKET = """{"market":"KRW-BTC","korean_name":"비트코인","english_name":"Bitcoin",
"market_event":{"warning":false,"caution":{"PRICE_FLUCTUATIONS":true,"TRADING_VOLUME_SOARING":false,
"DEPOSIT_AMOUNT_SOARING":false,
"GLOBAL_PRICE_DIFFERENCES":false,"CONCENTRATION_OF_SMALL_ACCOUNTS":false}}}"""

MODEL = """{"name":"models/gemini-3.5-flash-lite","version":"001","displayName":"Flash Lite",
"inputTokenLimit":1048576,"outputTokenLimit":65536,
"supportedGenerationMethods":["generateContent","countTokens"],"temperature":1,"thinking":true}"""


def array(*elements: str) -> str:
    return f"[{','.join(elements)}]"


def ticker(**changes: Any) -> str:
    """A list of one ticker; a change to None takes the field out."""
    changed = {**json.loads(TICKER), **changes}
    return json.dumps([{name: field for name, field in changed.items() if field is not None}])


def google_error(code: int, status: str, message: str, *details: dict[str, Any]) -> str:
    error = {"code": code, "status": status, "message": message, "details": list(details)}
    return json.dumps({"error": error})
