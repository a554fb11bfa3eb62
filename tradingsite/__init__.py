"""The trading site. Importing it makes the project's own `sysconfig/` package importable (docs/adr/0001)."""

from pathlib import Path

import sysconfig

__version__ = "0.8.0"

_FOLDER = str(Path(__file__).resolve().parent.parent / "sysconfig")
# The standard library has a module `sysconfig`; our modules are added as its submodules.
sysconfig.__path__ = [*getattr(sysconfig, "__path__", ()), _FOLDER]
