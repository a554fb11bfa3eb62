"""The environment variables, read once at start. docs/configuration.md lists them for operators.

A value comes from the process's environment, else from `.env`, else (for secrets) from the file named by
`NAME_FILE`. In sandbox mode missing secrets are generated once and stored in `VAR_DIR`.
"""

import os
import re
import secrets
import socket
from functools import cache
from ipaddress import IPv6Address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from tradingsite.local_files import keep
from tradingsite.masking import MASK, hide_user_info

BASE_DIR = Path(__file__).resolve().parent.parent

# The sandbox accepts only these keys. Sandbox mode always uses them, so it never sends a real key.
SANDBOX_KEYS = {
    "upbit_access_key": "sandbox-access-key",
    "upbit_secret_key": "sandbox-secret-key-sandbox-secret-key-sandbox-secret-key-sandbox!",
    "gemini_api_key": "sandbox-gemini-key",
}
LIVE_URLS = {
    "upbit_api_url": "https://api.upbit.com",
    "gemini_api_url": "https://generativelanguage.googleapis.com",
}


LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}


class InvalidEnvironment(ImproperlyConfigured):
    """A variable has a wrong value.

    The message names the variable, its value (secrets masked) and the rule.
    """


def _base(url: HttpUrl) -> HttpUrl:
    if url.username or url.password:
        raise ValueError("must not hold a user name or password; keys have their own variables")
    if (url.path or "/") != "/" or url.query or url.fragment:
        raise ValueError("must be a base URL without a path, e.g. https://api.upbit.com")
    return url


def _postgres(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("postgres://", "postgresql://")):
        raise ValueError("must be a PostgreSQL URL, e.g. postgresql://user:password@host:5432/name")
    try:
        parts = conninfo_to_dict(url.get_secret_value())
    except ProgrammingError:
        raise ValueError("is not a valid PostgreSQL URL") from None  # psycopg's text contains the password
    if not parts.get("dbname"):
        raise ValueError("must name the database, e.g. postgresql://user:password@host:5432/name")
    if not all(port == "" or _is_port(port) for port in str(parts.get("port", "")).split(",")):
        raise ValueError("must have a port from 1 to 65535, e.g. postgresql://user:password@host:5432/name")
    return url


def _webhook_url(url: SecretStr) -> SecretStr:
    try:
        parsed = HttpUrl(url.get_secret_value())
    except ValidationError:
        raise ValueError("must be an http or https URL, e.g. https://hooks.example.com/…") from None
    if parsed.scheme != "https" and parsed.host not in LOOPBACK:
        raise ValueError("must be https, since the URL contains a token; http is for loopback only")
    return url


def _is_port(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,5}", text)) and 1 <= int(text) <= 65535


def _host(value: str) -> str:
    host = value.removeprefix("[").removesuffix("]")
    try:
        return str(IPv6Address(host)) if ":" in host else host.encode("idna").decode()
    except ValueError:
        raise ValueError("must be a host name or an address, without a port, e.g. 127.0.0.1 or ::1") from None


def _at_least(length: int) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        if len(value) < length:
            raise ValueError(f"must have at least {length} characters, has {len(value)}")
        return value

    return AfterValidator(check)


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


BaseUrl = Annotated[HttpUrl, AfterValidator(_base)]
CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
AbsolutePath = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]
Port = Annotated[int, Field(ge=1, le=65535)]
Host = Annotated[str, AfterValidator(_host)]
SecretUrl = Annotated[SecretStr, AfterValidator(_webhook_url)]
PostgresUrl = Annotated[SecretStr, AfterValidator(_postgres)]


def is_secret(field: FieldInfo) -> bool:
    """Whether a field's value must never be shown."""
    return "SecretStr" in str(field.annotation)


class Environment(BaseSettings):
    """All variables, typed. A field's name in capitals is the variable's name."""

    model_config = SettingsConfigDict(
        env_file=BASE_DIR / ".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    trading_mode: Literal["sandbox", "live"] = Field(
        "sandbox", description="sandbox trades on the local exchange; live needs the three API keys."
    )
    database_url: PostgresUrl | None = Field(
        None, description="A PostgreSQL server (14 or newer); without it the project starts its own."
    )
    database_direct_url: PostgresUrl | None = Field(
        None,
        description="The same database past any connection pooler, for `migrate`, the scheduler's lock and"
        " notifications of changed config keys.",
    )
    var_dir: AbsolutePath = Field(
        BASE_DIR / "var", description="Data, sockets and generated secrets of this checkout."
    )
    embedded_postgres_dir: AbsolutePath | None = Field(
        None, description="Where the project's own PostgreSQL keeps its data; default VAR_DIR/postgres."
    )
    secret_key: Annotated[SecretStr, _at_least(50)] | None = Field(
        None, description="Signs sessions; generated in sandbox mode, required in live mode."
    )
    debug: bool = Field(False, description="Django's debug pages; not allowed in live mode.")
    allowed_hosts: CommaSeparated = Field(
        ("localhost", "127.0.0.1", "[::1]"), description="Host names the site answers to, comma-separated."
    )
    behind_proxy: bool = Field(
        False, description="Trust X-Forwarded-Proto and X-Forwarded-For of the reverse proxy in front."
    )
    host: Host = Field("127.0.0.1", description="The address the web process listens on; 0.0.0.0 for all.")
    port: Port = Field(8000, description="The port the web process listens on.")
    web_workers: Annotated[int, Field(ge=1, le=64)] = Field(2, description="Number of web processes.")
    sandbox_port: Port | None = Field(
        None, description="The port the sandbox listens on; default: a free one, chosen once."
    )
    upbit_api_url: BaseUrl | None = Field(None, description="Upbit's address, without path.")
    gemini_api_url: BaseUrl | None = Field(None, description="Gemini's address, without path.")
    upbit_access_key: SecretStr | None = Field(None, description="Upbit access key; used in live mode only.")
    upbit_secret_key: SecretStr | None = Field(None, description="Upbit secret key; used in live mode only.")
    gemini_api_key: SecretStr | None = Field(None, description="Gemini API key; used in live mode only.")
    health_token: Annotated[SecretStr, _at_least(16)] | None = Field(
        None, description="Bearer token that shows health details; generated in sandbox mode."
    )
    web_drain_s: Annotated[int, Field(ge=0, le=300)] = Field(
        0, description="How long a web process goes on answering after SIGTERM, with /readyz 503."
    )
    alert_webhook_url: SecretUrl | None = Field(
        None, description="The webhook for changes of health; docs/alerts.md."
    )
    alert_webhook_format: Literal["json", "slack", "discord"] = Field(
        "json", description="The format of the messages to it."
    )
    alert_min_interval_s: Annotated[int, Field(ge=0, le=86400)] = Field(
        300,
        description="Minimum time between two alerts about one component; changes in between are summed up.",
    )
    dead_man_url: SecretUrl | None = Field(
        None,
        description="Pinged once a minute while the site is healthy; a silence should raise an alarm there.",
    )
    log_format: Literal["json", "text"] | None = Field(
        None, description="Default: text on a terminal, else json."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Lowest level that is logged."
    )
    scheduler_grace_s: Annotated[int, Field(ge=1, le=600)] = Field(
        25, description="How long a stopping scheduler waits for running jobs."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, dotenv_settings, _SecretFiles(settings_cls)

    @model_validator(mode="after")
    def _live_mode_is_strict(self) -> Self:
        if self.trading_mode == "sandbox":
            return self
        if self.debug:
            raise ValueError("DEBUG must be false when TRADING_MODE is live")
        if self.secret_key is None:
            raise ValueError("SECRET_KEY must be set when TRADING_MODE is live (50 characters or more)")
        for name in ("upbit_api_url", "gemini_api_url"):
            url: HttpUrl | None = getattr(self, name)
            if url and url.scheme != "https" and url.host not in LOOPBACK:
                raise ValueError(f"{name.upper()} must be https when TRADING_MODE is live, is {url}")
        return self

    @property
    def web_address(self) -> str:
        """`host:port` of the web process; an IPv6 address is in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def upbit_url(self) -> str:
        """Upbit's base URL without a trailing slash."""
        return str(self.upbit_api_url).rstrip("/")

    @property
    def gemini_url(self) -> str:
        """Gemini's base URL without a trailing slash."""
        return str(self.gemini_api_url).rstrip("/")


class _SecretFiles(PydanticBaseSettingsSource):
    """Reads a secret from the file named by `NAME_FILE`, as Docker and Kubernetes provide secrets."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = f"{field_name}_file".upper()
        path = os.environ.get(variable) or self._in_env_file(variable)
        if not path or not is_secret(field):
            return None, field_name, False
        try:
            return Path(path).read_text().strip(), field_name, False
        except OSError as error:
            raise InvalidEnvironment(f"{variable}: cannot read {path}: {error.strerror}") from error
        except UnicodeDecodeError:
            raise InvalidEnvironment(f"{variable}: {path} is not UTF-8 text") from None

    def _in_env_file(self, variable: str) -> str | None:
        source = DotEnvSettingsSource(self.settings_cls, case_sensitive=True)
        return source.env_vars.get(variable)

    def __call__(self) -> dict[str, Any]:
        values = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in values.items() if value is not None}


def load() -> Environment:
    """Read the environment and fill in what is derived from it.

    Raises:
        InvalidEnvironment: a variable has a wrong value.
    """
    try:
        given = Environment()
    except ValidationError as error:
        raise InvalidEnvironment(_explain(error)) from None
    made: dict[str, Any] = {name: getattr(given, name) or HttpUrl(url) for name, url in LIVE_URLS.items()}
    if given.trading_mode == "sandbox":
        made = _sandbox_defaults(given)
    made["embedded_postgres_dir"] = given.embedded_postgres_dir or given.var_dir / "postgres"
    return given.model_copy(update=made)


environment = cache(load)


def _sandbox_defaults(given: Environment) -> dict[str, Any]:
    port = given.sandbox_port or _kept_port(given.var_dir / "sandbox-port")
    sandbox = HttpUrl(f"http://127.0.0.1:{port}")
    return {
        "sandbox_port": port,
        "upbit_api_url": given.upbit_api_url or sandbox,
        "gemini_api_url": given.gemini_api_url or sandbox,
        "secret_key": given.secret_key or _secret(given.var_dir / "secret-key"),
        "health_token": given.health_token or _secret(given.var_dir / "health-token"),
        **{name: SecretStr(key) for name, key in SANDBOX_KEYS.items()},
    }


def _secret(path: Path) -> SecretStr:
    return SecretStr(keep(path, lambda: secrets.token_urlsafe(48)))


def _kept_port(path: Path) -> int:
    try:
        text = keep(path, _free_port).strip()
    except UnicodeDecodeError:
        text = "no text"
    if not _is_port(text):
        raise InvalidEnvironment(
            f"SANDBOX_PORT: {path} holds {text[:20]!r}: must be a port from 1 to 65535; "
            "delete the file, or set SANDBOX_PORT"
        )
    return int(text)


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        rule = problem["msg"].removeprefix("Value error, ")
        if not problem["loc"]:
            lines.append(rule)
            continue
        lines.append(f"{str(problem['loc'][0]).upper()}: {_shown(problem)}: {rule}")
    return "\n".join(lines)


def _shown(problem: ErrorDetails) -> str:
    name = str(problem["loc"][0])
    if is_secret(Environment.model_fields[name]):
        return MASK
    return repr(hide_user_info(str(problem["input"])))
