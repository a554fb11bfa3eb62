"""A PostgreSQL server of a test's own, which it may stop and start."""

import shutil
import tempfile
from pathlib import Path

import psycopg
import pytest

from tests import pg_ctl
from tradingsite.embedded_postgres.server import EmbeddedPostgres


class OwnServer:
    """A server that this process uses, with `url` for others."""

    def __init__(self, folder: Path) -> None:
        self._server = EmbeddedPostgres(folder / "data", {"fsync": "off"})
        self._log = folder / "data" / "server.log"
        self.url = f"postgresql://postgres@/postgres?host={self._server.use()}"

    def stop(self, how="fast"):
        pg_ctl.stop(self._server, how)

    def start(self):
        self._server.doubt()
        self._server.use()

    def execute(self, statement):
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(statement)


@pytest.fixture
def own_server():
    # Not tmp_path: as root that is closed to the user that PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="site-"))
    folder.chmod(0o711)
    server = OwnServer(folder)
    yield server
    server.start()
    server.stop("immediate")
    shutil.rmtree(folder)
