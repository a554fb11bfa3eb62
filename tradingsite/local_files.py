"""Small generated files in `VAR_DIR`, such as passwords, that all processes share."""

import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

DEMO_OPERATOR = "operator"


def keep(path: Path, make: Callable[[], str]) -> str:
    """Return the text in `path`; the first call creates it with `make`, with mode 0600.

    Processes that start at the same time get the same text: a complete file is linked into place, which only
    one of them can do.
    """
    try:
        return path.read_text()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(make())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        Path(draft).unlink()
    return path.read_text()


def demo_password(var_dir: Path) -> str:
    """Return the demo operator's password, generated once into `demo-password`."""
    return keep(var_dir / "demo-password", lambda: secrets.token_urlsafe(12))
