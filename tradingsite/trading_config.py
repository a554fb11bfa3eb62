"""The trader's runtime settings: every key, its limits, and the rules between several of them.

docs/configuration.md lists them for operators; a test compares the two.
"""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from sysconfig.registry import BOOL, INTEGER, NUMBER, TEXT, ConfigKey, Items, Rule

_TRADING = _("Trading")
_RISK = _("Risk")
_MODEL = _("Model")
_RETENTION = _("Retention")

_PERCENT = (Decimal("0.1"), Decimal(50))
_SHARE = (Decimal(0), Decimal(100))
_DAYS = (1, 3650)

TRADING_ENABLED = ConfigKey(
    "trading_enabled",
    BOOL,
    default=settings.TRADING_MODE == "sandbox",
    group=_TRADING,
    help=_("Off: no new buys; it stops no sell and no stop-loss. The program never turns it on."),
    riskier="higher" if settings.TRADING_MODE == "live" else "",
)
MARKETS = ConfigKey(
    "markets",
    Items(r"[A-Z]{3,4}-[A-Z0-9]{1,15}", _("must be Upbit market codes such as KRW-BTC, separated by commas")),
    default=("KRW-BTC",),
    limits=(1, 300),
    unit=_("market codes"),
    group=_TRADING,
    help=_("The markets whose prices are collected."),
)
TRADING_MARKETS = ConfigKey(
    "trading_markets",
    Items(r"KRW-[A-Z0-9]{1,15}", _("must be KRW market codes such as KRW-BTC, separated by commas")),
    default=("KRW-BTC",),
    limits=(1, 5),
    unit=_("market codes"),
    group=_TRADING,
    help=_("The markets that are traded. Each must be collected too."),
    riskier="added",
)
POSITION_SIZE_MIN_PCT = ConfigKey(
    "position_size_min_pct",
    NUMBER,
    default=Decimal("1.0"),
    limits=_SHARE,
    # xgettext:no-python-format  # noqa: ERA001 - spoken to xgettext
    unit=_("% of equity"),
    group=_TRADING,
    help=_("Size of one buy at the least confidence that is traded; it grows evenly to the maximum at 1."),
    riskier="higher",
)
POSITION_SIZE_MAX_PCT = ConfigKey(
    "position_size_max_pct",
    NUMBER,
    default=Decimal("3.0"),
    limits=_SHARE,
    unit=_("% of equity"),
    group=_TRADING,
    help=_("Size of one buy at confidence 1."),
    riskier="higher",
)
VOLATILITY_THRESHOLD_PCT = ConfigKey(
    "volatility_threshold_pct",
    NUMBER,
    default=Decimal("3.0"),
    limits=_PERCENT,
    # xgettext:no-python-format  # noqa: ERA001 - spoken to xgettext
    unit=_("% in 5 minutes"),
    group=_RISK,
    help=_("A market that moves this much within 5 minutes gets no new buys."),
    riskier="higher",
)
VOLATILITY_COOLDOWN_MIN = ConfigKey(
    "volatility_cooldown_min",
    INTEGER,
    default=15,
    limits=(1, 1440),
    unit=_("minutes"),
    group=_RISK,
    # xgettext:no-python-format  # noqa: ERA001 - spoken to xgettext
    help=_("Buys resume after the market has stayed below 60 % of the threshold for this long."),
    riskier="lower",
)
STOP_LOSS_PCT = ConfigKey(
    "stop_loss_pct",
    NUMBER,
    default=Decimal("5.0"),
    limits=_PERCENT,
    # xgettext:no-python-format  # noqa: ERA001 - spoken to xgettext
    unit=_("% below the average price"),
    group=_RISK,
    help=_("A position that has lost this much is sold, whatever the model says."),
    riskier="higher",
)
DAILY_LOSS_LIMIT_PCT = ConfigKey(
    "daily_loss_limit_pct",
    NUMBER,
    default=Decimal("5.0"),
    limits=_PERCENT,
    unit=_("% of equity"),
    group=_RISK,
    help=_("A loss of the day in Korean time, realised and unrealised, from which on there are no new buys."),
    riskier="higher",
)
MAX_EXPOSURE_PCT = ConfigKey(
    "max_exposure_pct",
    NUMBER,
    default=Decimal("30.0"),
    limits=_SHARE,
    unit=_("% of equity"),
    group=_RISK,
    help=_("All positions together never grow beyond this by a buy."),
    riskier="higher",
)
MAX_PRICE_MOVE_PCT = ConfigKey(
    "max_price_move_pct",
    NUMBER,
    default=Decimal("1.0"),
    limits=(Decimal("0.1"), Decimal(10)),
    # xgettext:no-python-format  # noqa: ERA001 - spoken to xgettext
    unit=_("% since the signal"),
    group=_RISK,
    help=_("A signal is void once the price has moved this much since it was made."),
    riskier="higher",
)
AI_MODEL = ConfigKey(
    "ai_model",
    TEXT,
    default="gemini-3.5-flash-lite",
    limits=(1, 100),
    unit=_("model name"),
    group=_MODEL,
    help=_("The Gemini model to call. The health page shows whether the API knows it."),
)
AI_MIN_CONFIDENCE = ConfigKey(
    "ai_min_confidence",
    NUMBER,
    default=Decimal("0.6"),
    limits=(Decimal(0), Decimal(1)),
    unit=_("confidence"),
    group=_MODEL,
    help=_("A signal with less confidence is not traded."),
    riskier="lower",
)
AI_DAILY_CALL_LIMIT = ConfigKey(
    "ai_daily_call_limit",
    INTEGER,
    default=100,
    limits=(0, 10000),
    unit=_("calls a day"),
    group=_MODEL,
    help=_("The model is called at most this often in a day of Korean time."),
    riskier="higher",
)
SIGNAL_VALIDITY_MIN = ConfigKey(
    "signal_validity_min",
    INTEGER,
    default=10,
    limits=(1, 60),
    unit=_("minutes"),
    group=_MODEL,
    help=_("An older signal makes no order."),
    riskier="higher",
)
MARKET_DATA_RETENTION_DAYS = ConfigKey(
    "market_data_retention_days",
    INTEGER,
    default=365,
    limits=_DAYS,
    unit=_("days"),
    group=_RETENTION,
    help=_("Older prices are deleted once a day."),
)
JOB_HISTORY_RETENTION_DAYS = ConfigKey(
    "job_history_retention_days",
    INTEGER,
    default=30,
    limits=_DAYS,
    unit=_("days"),
    group=_RETENTION,
    help=_("Older records of job runs are deleted once a day."),
)
AI_TEXT_RETENTION_DAYS = ConfigKey(
    "ai_text_retention_days",
    INTEGER,
    default=90,
    limits=_DAYS,
    unit=_("days"),
    group=_RETENTION,
    help=_("Older prompts and answers of the model are blanked once a day; the numbers are kept."),
)
HEALTH_HISTORY_RETENTION_DAYS = ConfigKey(
    "health_history_retention_days",
    INTEGER,
    default=90,
    limits=_DAYS,
    unit=_("days"),
    group=_RETENTION,
    help=_("Older samples and changes of health are deleted once a day."),
)

KEYS: tuple[ConfigKey[Any], ...] = (
    TRADING_ENABLED,
    MARKETS,
    TRADING_MARKETS,
    POSITION_SIZE_MIN_PCT,
    POSITION_SIZE_MAX_PCT,
    VOLATILITY_THRESHOLD_PCT,
    VOLATILITY_COOLDOWN_MIN,
    STOP_LOSS_PCT,
    DAILY_LOSS_LIMIT_PCT,
    MAX_EXPOSURE_PCT,
    MAX_PRICE_MOVE_PCT,
    AI_MODEL,
    AI_MIN_CONFIDENCE,
    AI_DAILY_CALL_LIMIT,
    SIGNAL_VALIDITY_MIN,
    MARKET_DATA_RETENTION_DAYS,
    JOB_HISTORY_RETENTION_DAYS,
    AI_TEXT_RETENTION_DAYS,
    HEALTH_HISTORY_RETENTION_DAYS,
)
RULES = (
    Rule(
        (TRADING_MARKETS, MARKETS),
        lambda traded, collected: set(traded) <= set(collected),
        _("trading_markets (%(trading_markets)s) must all be among markets (%(markets)s)"),
    ),
    Rule(
        (POSITION_SIZE_MIN_PCT, POSITION_SIZE_MAX_PCT),
        lambda least, most: least <= most,
        _(
            "position_size_min_pct (%(position_size_min_pct)s) must not exceed "
            "position_size_max_pct (%(position_size_max_pct)s)"
        ),
    ),
)
