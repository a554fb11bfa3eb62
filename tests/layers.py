"""Run import-linter although Python owns the name `sysconfig`: show it our folder under that name first."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import sysconfig

ROOT = Path(__file__).resolve().parent.parent

ours = ModuleSpec("sysconfig", loader=None, is_package=True)
ours.submodule_search_locations = [str(ROOT / "sysconfig")]
sysconfig.__spec__ = ours
sys.path.insert(0, str(ROOT))

from importlinter.cli import lint_imports_command  # noqa: E402 - only now does it find our folder

if __name__ == "__main__":
    lint_imports_command()
