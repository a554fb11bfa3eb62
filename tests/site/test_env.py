"""The environment: sources, defaults of each mode, and messages that a person can act on."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tradingsite import env

LIVE = {"TRADING_MODE": "live", "SECRET_KEY": "k" * 50}


@pytest.fixture
def load(monkeypatch, tmp_path):
    """Load the environment from exactly these variables and this `.env` text."""

    def load_from(variables=None, dotenv=""):
        for name in env.Environment.model_fields:
            monkeypatch.delenv(name.upper(), raising=False)
            monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)
        for name, value in {"VAR_DIR": str(tmp_path / "var"), **(variables or {})}.items():
            monkeypatch.setenv(name, value)
        (tmp_path / "dotenv").write_text(dotenv)
        monkeypatch.setitem(env.Environment.model_config, "env_file", tmp_path / "dotenv")
        return env.load()

    return load_from


def test_sandbox_mode_needs_nothing(load):
    loaded = load()

    assert loaded.trading_mode == "sandbox"
    assert loaded.upbit_url == loaded.gemini_url == f"http://127.0.0.1:{loaded.sandbox_port}"
    assert loaded.upbit_access_key.get_secret_value() == "sandbox-access-key"
    assert len(loaded.secret_key.get_secret_value()) >= 50
    assert len(loaded.health_token.get_secret_value()) >= 16


def test_generated_secrets_are_made_once_and_are_private(load, tmp_path):
    first, second = load(), load()

    assert first == second
    for name in ("sandbox-port", "secret-key", "health-token"):
        assert stat.S_IMODE((tmp_path / "var" / name).stat().st_mode) == 0o600


def test_sandbox_mode_never_uses_a_real_key(load):
    loaded = load({"UPBIT_ACCESS_KEY": "real-access-key", "GEMINI_API_KEY": "real-gemini-key"})

    assert loaded.upbit_access_key.get_secret_value() == "sandbox-access-key"
    assert loaded.gemini_api_key.get_secret_value() == "sandbox-gemini-key"


def test_live_mode_uses_the_real_addresses_and_the_given_keys(load):
    loaded = load({**LIVE, "UPBIT_ACCESS_KEY": "real-access-key"})

    assert loaded.upbit_url == "https://api.upbit.com"
    assert loaded.gemini_url == "https://generativelanguage.googleapis.com"
    assert loaded.upbit_access_key.get_secret_value() == "real-access-key"
    assert loaded.health_token is None


def test_process_wins_over_dotenv_and_dotenv_over_secret_files(load, tmp_path):
    (tmp_path / "token").write_text("token-from-the-file\n")
    file = f"HEALTH_TOKEN_FILE={tmp_path / 'token'}\n"

    assert load(dotenv=file).health_token.get_secret_value() == "token-from-the-file"
    dotenv = load(dotenv=f"{file}HEALTH_TOKEN=token-from-dotenv\nPORT=8100")
    assert dotenv.health_token.get_secret_value() == "token-from-dotenv"
    assert dotenv.port == 8100
    assert load({"PORT": "8200"}, dotenv="PORT=8100").port == 8200


def test_empty_value_counts_as_not_set(load):
    assert load({"PORT": "", "DATABASE_URL": ""}).port == 8000


def test_relative_folder_is_below_the_working_folder(load):
    assert load({"EMBEDDED_POSTGRES_DIR": "data"}).embedded_postgres_dir == Path.cwd() / "data"


@pytest.mark.parametrize(
    ("variables", "parts"),
    [
        ({"TRADING_MODE": "paper"}, ["TRADING_MODE", "'paper'", "'sandbox' or 'live'"]),
        ({"PORT": "99999"}, ["PORT", "'99999'", "65535"]),
        ({"PORT": "web"}, ["PORT", "'web'", "integer"]),
        ({"DEBUG": "perhaps"}, ["DEBUG", "'perhaps'", "boolean"]),
        ({"UPBIT_API_URL": "https://api.upbit.com/v1"}, ["UPBIT_API_URL", "without a path"]),
        ({"DATABASE_URL": "mysql://root:hunter22@host/db"}, ["DATABASE_URL", "***", "PostgreSQL"]),
        ({"DATABASE_URL": "postgresql://u:hunter22@[host/db"}, ["DATABASE_URL", "***", "not a valid"]),
        ({"DATABASE_DIRECT_URL": "postgresql://u:hunter22@host"}, ["DATABASE_DIRECT_URL", "***", "name the"]),
        ({"DATABASE_URL": "postgresql://u:hunter22@host:web/db"}, ["DATABASE_URL", "***", "1 to 65535"]),
        ({"DATABASE_URL": "postgresql://u:hunter22@a:1,b:70000/db"}, ["DATABASE_URL", "***", "1 to 65535"]),
        ({"UPBIT_API_URL": "https://me:hunter22@x.com"}, ["UPBIT_API_URL", "'***@x.com'", "password"]),
        ({"GEMINI_API_URL": "https://hunter22@x.com"}, ["GEMINI_API_URL", "'***@x.com'", "user name"]),
        ({"UPBIT_API_URL": "me:hunter22@x.com"}, ["UPBIT_API_URL", "'***@x.com'"]),
        ({"HOST": "::1:8000:web"}, ["HOST", "'::1:8000:web'", "without a port"]),
        ({"HOST": "localhost:8000"}, ["HOST", "'localhost:8000'", "without a port"]),
        ({"HOST": "a..b"}, ["HOST", "'a..b'", "host name"]),
        ({"HEALTH_TOKEN": "short"}, ["HEALTH_TOKEN", "***", "at least 16 characters, has 5"]),
        ({**LIVE, "SECRET_KEY": "hunter22"}, ["SECRET_KEY", "***", "at least 50 characters, has 8"]),
        ({"TRADING_MODE": "live"}, ["SECRET_KEY", "live"]),
        ({**LIVE, "DEBUG": "true"}, ["DEBUG", "live"]),
        ({**LIVE, "UPBIT_API_URL": "http://exchange.example"}, ["UPBIT_API_URL", "https"]),
        ({"ALERT_WEBHOOK_URL": "http://x.com/hunter22"}, ["ALERT_WEBHOOK_URL", "***", "must be https"]),
        ({"DEAD_MAN_URL": "hunter22"}, ["DEAD_MAN_URL", "***", "http or https URL"]),
        ({"ALERT_WEBHOOK_FORMAT": "teams"}, ["ALERT_WEBHOOK_FORMAT", "'teams'", "'slack' or 'discord'"]),
        ({"SECRET_KEY_FILE": "/nowhere/secret"}, ["SECRET_KEY_FILE", "/nowhere/secret", "No such file"]),
    ],
)
def test_wrong_value_is_refused_with_variable_value_and_rule(load, variables, parts):
    with pytest.raises(env.InvalidEnvironment) as refused:
        load(variables)

    message = str(refused.value)
    for part in parts:
        assert part in message
    assert "hunter22" not in message
    assert "short" not in message


@pytest.mark.parametrize("url", ["postgresql://h/db", "postgresql://h:5432/db", "postgresql://a,b:5433/db"])
def test_port_of_a_database_may_be_left_out(load, url):
    assert load({"DATABASE_URL": url}).database_url.get_secret_value() == url


@pytest.mark.parametrize(
    ("garbage", "shown"), [(b"web\n", "'web'"), (b"", "''"), (b"70000", "'70000'"), (b"\xff", "no text")]
)
def test_invalid_sandbox_port_file_is_named_with_the_way_out(load, tmp_path, garbage, shown):
    file = tmp_path / "var" / "sandbox-port"
    file.parent.mkdir()
    file.write_bytes(garbage)

    with pytest.raises(env.InvalidEnvironment) as refused:
        load()

    for part in ("SANDBOX_PORT", str(file), shown, "1 to 65535", "delete the file"):
        assert part in str(refused.value)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1:8000"),
        ("::1", "[::1]:8000"),
        ("[::1]", "[::1]:8000"),
        ("trading.local", "trading.local:8000"),
    ],
)
def test_web_listens_on_ipv4_ipv6_or_a_name(load, host, address):
    assert load({"HOST": host}).web_address == address


def test_all_wrong_values_are_named_at_once(load):
    with pytest.raises(env.InvalidEnvironment) as refused:
        load({"PORT": "0", "LOG_LEVEL": "LOUD"})

    assert "PORT" in str(refused.value)
    assert "LOG_LEVEL" in str(refused.value)


@pytest.mark.parametrize(
    "command",
    [
        ["manage.py", "check"],
        ["-m", "gunicorn", "--config", "python:tradingsite.gunicorn_config", "tradingsite.wsgi"],
    ],
    ids=["manage.py", "gunicorn"],
)
def test_process_ends_with_the_message_and_no_traceback(tmp_path, command):
    result = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "PORT": "web", "VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1
    assert result.stderr.startswith("PORT: 'web'")
    assert len(result.stderr.splitlines()) == 1
