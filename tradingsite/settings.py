"""Django settings, made from `env.environment()`. Importing them starts nothing."""

from datetime import timedelta
from typing import Any

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from tradingsite import __version__, logs, masking
from tradingsite.database import databases
from tradingsite.env import BASE_DIR, environment

_env = environment()

VERSION = __version__
TRADING_MODE = _env.trading_mode
LIVE = TRADING_MODE == "live"
VAR_DIR = _env.var_dir
PORT = _env.port
SANDBOX_PORT = _env.sandbox_port
SCHEDULER_GRACE_S = _env.scheduler_grace_s


def _secret(name: str) -> str:
    value = getattr(_env, name)
    return value.get_secret_value() if value else ""


SECRET_KEY = _secret("secret_key")
HEALTH_TOKEN = _secret("health_token")
UPBIT_URL = _env.upbit_url
GEMINI_URL = _env.gemini_url
UPBIT_ACCESS_KEY = _secret("upbit_access_key")
UPBIT_SECRET_KEY = _secret("upbit_secret_key")
GEMINI_API_KEY = _secret("gemini_api_key")
ALERT_WEBHOOK_URL = _secret("alert_webhook_url")
ALERT_WEBHOOK_FORMAT = _env.alert_webhook_format
ALERT_MIN_INTERVAL_S = _env.alert_min_interval_s
ALERT_SITE = f"Trading control room ({TRADING_MODE})"
DEAD_MAN_URL = _secret("dead_man_url")

_secrets = [
    *(SECRET_KEY, HEALTH_TOKEN, UPBIT_ACCESS_KEY, UPBIT_SECRET_KEY, GEMINI_API_KEY),
    *(ALERT_WEBHOOK_URL, DEAD_MAN_URL),
]

LOG_FORMAT = logs.chosen_format(_env.log_format)
masking.know_secrets(_secrets)
logs.configure(LOG_FORMAT, _env.log_level)
LOGGING_CONFIG = None  # configured above, in the same way as in gunicorn

DEBUG = _env.debug
ALLOWED_HOSTS = list(_env.allowed_hosts)

INSTALLED_APPS = [
    "tradingsite.apps.TradingSiteConfig",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_apscheduler",
    "csp",
    "axes",
    "sysconfig.apps.SysconfigConfig",
    "healthcheck",
    "tradingsite.marketdata",
    "tradingsite.risk",
    "tradingsite.strategy",
    "tradingsite.orders",
    "tradingsite.jobs",
]

MIDDLEWARE = [
    "healthcheck.middleware.ProbeMiddleware",  # first: a probe may have any Host, no https, no session
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "healthcheck.middleware.SessionlessMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "healthcheck.zones.in_viewers_zone",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "tradingsite.urls"
WSGI_APPLICATION = "tradingsite.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "tradingsite.views.mode",
            ]
        },
    }
]

DATABASES = databases(_env)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ko", _("Korean"))]
LOCALE_PATHS = [BASE_DIR / "tradingsite" / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = LIVE
LANGUAGE_COOKIE_SECURE = LIVE
LANGUAGE_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = int(timedelta(hours=12).total_seconds())
if LIVE:
    SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds())
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
if _env.behind_proxy:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    AXES_CLIENT_IP_CALLABLE = SYSCONFIG_CLIENT_ADDRESS = "tradingsite.proxy.client_address"

JOBS_SCHEDULE = "tradingsite.jobs.timetable.SCHEDULE"
JOBS_INTERVALS = "tradingsite.jobs.scheduler.intervals.INTERVALS"

SYSCONFIG_LISTEN = True  # each process that reads runtime settings is notified of changes

# These begin with a query. Their timeout is above the 3 s that the pool waits for a connection, so that they
# end with the pool's error and not with "no answer".
_NEEDS_DATABASE = {"needs": ("database",), "timeout_s": 4}
HEALTH_PROBES: list[dict[str, Any]] = [
    {"name": "database", "label": _("Database"), "probe": "tradingsite.probes.database"},
    {
        "name": "upbit_api",
        "label": _("Upbit API"),
        "probe": "tradingsite.marketdata.probes.upbit_api",
        "evidence": "tradingsite.marketdata.venue_stats.facts",
        "ttl_s": 10,
        "ttl_bad_s": 5,
        "shared": True,
        **_NEEDS_DATABASE,
    },
    {
        "name": "gemini_api",
        "label": _("Gemini API"),
        "probe": "tradingsite.strategy.probes.gemini_api",
        "evidence": "tradingsite.strategy.model_stats.facts",
        "ttl_s": 300,
        "ttl_bad_s": 10,
        "shared": True,
        **_NEEDS_DATABASE,
    },
    {
        "name": "scheduler",
        "label": _("Scheduler"),
        "probe": "tradingsite.jobs.probes.scheduler",
        **_NEEDS_DATABASE,
    },
    {
        "name": "recent_signal",
        "label": _("Recent signal"),
        "probe": "tradingsite.strategy.probes.recent_signal",
        **_NEEDS_DATABASE,
    },
    {
        "name": "recent_order",
        "label": _("Recent order"),
        "probe": "tradingsite.orders.probes.recent_order",
        **_NEEDS_DATABASE,
    },
]
HEALTH_MASK = "tradingsite.masking.hide"
# Removed from every health answer, whoever asks.
HEALTH_REDACTED = [
    *_secrets,
    *map(_secret, ("database_url", "database_direct_url")),
    *(str(DATABASES["default"].get(part, "")) for part in ("PASSWORD", "HOST")),
    str(VAR_DIR),
    str(BASE_DIR),
]
HEALTH_TIME_ZONE = "Asia/Seoul"
HEALTH_REHEARSALS = not LIVE  # no rehearsed outages where money is at stake
# The advice on the pages of components and jobs, by language.
RUNBOOK = {"en": BASE_DIR / "docs" / "operations.md", "ko": BASE_DIR / "docs" / "operations.ko.md"}
HEALTH_QUESTION = _("Can we trade right now?")
HEALTH_ABILITIES: list[dict[str, Any]] = [
    {
        "name": name,
        "label": label,
        "probe": f"tradingsite.jobs.abilities.{name}",
        "needs": ("database", component),
        "timeout_s": 4,
    }
    for name, label, component in (
        ("read_prices", _("Read prices"), "upbit_api"),
        ("decide", _("Decide"), "gemini_api"),
        ("place_orders", _("Place orders"), "upbit_api"),
        ("next_runs", _("Next runs"), "scheduler"),
    )
]
STATUS_PANELS: list[dict[str, Any]] = [
    {
        "title": _("Trading"),
        "template": "status/trading.html",
        "context": "tradingsite.jobs.reporting.trading_panel.trading",
        "place": "top",
        **_NEEDS_DATABASE,
    },
    {
        "title": _("Price and trades"),
        "template": "status/chart.html",
        "context": "tradingsite.orders.panel.chart",
        "ttl_s": 10,
        **_NEEDS_DATABASE,
    },
    {
        "title": _("Signals"),
        "template": "status/signals.html",
        "context": "tradingsite.strategy.panel.signals",
        **_NEEDS_DATABASE,
    },
    {
        "title": _("Orders"),
        "template": "status/orders.html",
        "context": "tradingsite.orders.panel.orders",
        **_NEEDS_DATABASE,
    },
    {
        "title": _("Jobs"),
        "template": "status/jobs.html",
        "context": "tradingsite.jobs.reporting.panel.jobs",
        **_NEEDS_DATABASE,
    },
    {
        "title": _("Last 90 days"),
        "template": "status/history.html",
        "context": "healthcheck.pages.history_bars.history",
        "ttl_s": 30,
        **_NEEDS_DATABASE,
    },
    {
        "title": _("Last changes"),
        "template": "status/changes.html",
        "context": "healthcheck.pages.history_bars.changes",
        "place": "narrow",
        **_NEEDS_DATABASE,
    },
    {
        "title": _("Account"),
        "template": "status/account.html",
        "context": "tradingsite.orders.panel.account",
        "place": "narrow",
        **_NEEDS_DATABASE,
    },
    {
        "title": _("Prices"),
        "template": "status/prices.html",
        "context": "tradingsite.marketdata.panel.prices",
        "place": "narrow",
        **_NEEDS_DATABASE,
    },
    {
        "title": _("Config cache"),
        "template": "status/config_cache.html",
        "context": "sysconfig.panel.cache",
        "place": "narrow",
    },
]
METRIC_SOURCES = [
    "healthcheck.openmetrics.families",
    "sysconfig.metrics.families",
    "tradingsite.jobs.metrics.families",
    "tradingsite.strategy.metrics.families",
    "tradingsite.orders.metrics.families",
]
