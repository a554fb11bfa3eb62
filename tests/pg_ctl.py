"""PostgreSQL's `pg_ctl`, for tests that stop a server without the product's knowledge."""

from pathlib import Path

from tradingsite.embedded_postgres.programs import run_program
from tradingsite.embedded_postgres.server import EmbeddedPostgres


def pg_ctl(server: EmbeddedPostgres, *arguments: str | Path) -> None:
    run_program("pg_ctl", "-D", server.data, *arguments, folder=server.data)


def stop(server: EmbeddedPostgres, how: str = "fast") -> None:
    pg_ctl(server, "stop", "-m", how)


def restart(server: EmbeddedPostgres) -> None:
    pg_ctl(server, "restart", "-m", "fast", "-l", server.data / "server.log")
