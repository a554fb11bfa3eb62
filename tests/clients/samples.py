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

ORDERBOOK = """{"market":"KRW-BTC","timestamp":1751606867762,"total_ask_size":10.37591054,
"total_bid_size":15.77734058,"orderbook_units":[{"ask_price":148520000,"bid_price":148490000,
"ask_size":0.0134662,"bid_size":0.04296774}],"level":0}"""

MARKET = """{"market":"KRW-BTC","korean_name":"비트코인","english_name":"Bitcoin",
"market_event":{"warning":false,"caution":{"PRICE_FLUCTUATIONS":true,"TRADING_VOLUME_SOARING":false,
"DEPOSIT_AMOUNT_SOARING":false,
"GLOBAL_PRICE_DIFFERENCES":false,"CONCENTRATION_OF_SMALL_ACCOUNTS":false}}}"""

MODEL = """{"name":"models/gemini-3.5-flash-lite","version":"001","displayName":"Flash Lite",
"inputTokenLimit":1048576,"outputTokenLimit":65536,
"supportedGenerationMethods":["generateContent","countTokens"],"temperature":1,"thinking":true}"""

ACCESS_KEY = "access-key-for-tests"
SECRET_KEY = "secret-key-for-tests-as-long-as-upbits-own"

MODEL_KEY = "model-key-for-tests"

SCHEMA = {
    "type": "OBJECT",
    "properties": {
        "decision": {"type": "STRING", "format": "enum", "enum": ["BUY", "SELL", "HOLD"]},
        "confidence": {"type": "NUMBER"},
        "reasoning": {"type": "STRING"},
    },
    "required": ["decision", "confidence", "reasoning"],
}

GENERATION = """{"candidates":[{"index":0,"finishReason":1,"content":{"role":"model","parts":[{"text":
"{\\"decision\\": \\"HOLD\\"}","thoughtSignature":"c2ln"}]},"avgLogprobs":-0.1}],"usageMetadata":{
"promptTokenCount":310,"candidatesTokenCount":48,"thoughtsTokenCount":125,"totalTokenCount":483},
"modelVersion":"gemini-3.5-flash-lite","responseId":"r-1"}"""

BALANCES = """[{"currency":"KRW","balance":"1000000.0","locked":"4999.99999922","avg_buy_price":"0",
"avg_buy_price_modified":true,"unit_currency":"KRW"},{"currency":"BTC","balance":"0.00048","locked":"0.0",
"avg_buy_price":"20870000","avg_buy_price_modified":false,"unit_currency":"KRW"}]"""

CHANCE = """{"bid_fee":"0.0005","ask_fee":"0.0005","maker_bid_fee":"0.0005","maker_ask_fee":"0.0005",
"market":{"id":"KRW-BTC","name":"BTC/KRW","order_sides":["ask","bid"],"bid_types":["limit","price"],
"ask_types":["limit","market"],"bid":{"currency":"KRW","price_unit":null,"min_total":5000},
"ask":{"currency":"BTC","min_total":"5000"},"max_total":"1000000000","state":"active"},
"bid_account":{"currency":"KRW","balance":"5","locked":"0"}}"""

ORDER = """{"market":"KRW-BTC","uuid":"U-1","side":"bid","ord_type":"price","price":"10000","state":"wait",
"created_at":"2026-11-22T10:00:00+09:00","executed_volume":"0","reserved_fee":"5","remaining_fee":"5",
"paid_fee":"0","locked":"10005","prevented_volume":"0","prevented_locked":"0","trades_count":0,
"identifier":"sig-1","smp_type":"cancel_maker"}"""

TRADE = """{"market":"KRW-BTC","uuid":"T-1","price":"148520000","volume":"0.00006733","funds":"9999.8516",
"trend":"up","created_at":"2026-11-22T10:00:00.597751+09:00","side":"bid"}"""


def array(*elements: str) -> str:
    return f"[{','.join(elements)}]"


def ticker(**changes: Any) -> str:
    """A list of one ticker; a change to None takes the field out."""
    changed = {**json.loads(TICKER), **changes}
    return json.dumps([{name: field for name, field in changed.items() if field is not None}])


def order(**changes: Any) -> str:
    """An order; a change to None takes the field out."""
    changed = {**json.loads(ORDER), **changes}
    return json.dumps({name: field for name, field in changed.items() if field is not None})


def upbit_error(name: str | int, message: str = "no") -> str:
    return json.dumps({"error": {"name": name, "message": message}})


def google_error(code: int, status: str, message: str, *details: dict[str, Any]) -> str:
    error = {"code": code, "status": status, "message": message, "details": list(details)}
    return json.dumps({"error": error})


def generation(**changes: Any) -> str:
    """An answer of generateContent; a change to None takes the field out."""
    changed = {**json.loads(GENERATION), **changes}
    return json.dumps({name: field for name, field in changed.items() if field is not None})


def candidate(finish: Any = 1, *parts: dict[str, Any]) -> dict[str, Any]:
    """A candidate for `generation`; without parts it has no content."""
    content = {"content": {"role": "model", "parts": list(parts)}} if parts else {}
    return {"index": 0, "finishReason": finish, **content}
