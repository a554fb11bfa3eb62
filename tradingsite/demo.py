"""The demo operator of sandbox mode."""

import secrets
from pathlib import Path

from tradingsite.local_files import keep

OPERATOR = "operator"


def demo_password(var_dir: Path) -> str:
    """Return the demo operator's password, made once into `demo-password`."""
    return keep(var_dir / "demo-password", lambda: secrets.token_urlsafe(12))
