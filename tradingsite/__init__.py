"""The trading site. Importing it makes our `sysconfig/` folder importable (docs/adr/0001)."""

from pathlib import Path

import sysconfig

__version__ = "0.7.0"

_FOLDER = str(Path(__file__).resolve().parent.parent / "sysconfig")
# Python owns the name `sysconfig`; ours are offered as submodules of the standard module.
sysconfig.__path__ = [*getattr(sysconfig, "__path__", ()), _FOLDER]
