"""Our folder `sysconfig/` and Python's own module of that name (docs/adr/0001), in fresh interpreters."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

IMPORTS = {
    "ours first": "import tradingsite; import sysconfig.cache; import sysconfig, zoneinfo",
    "the standard one first": "import sysconfig, zoneinfo; import tradingsite; import sysconfig.cache",
    "django last": "import sysconfig, zoneinfo; import django; django.setup(); import sysconfig.cache",
}
CHECKS = """
from importlib import import_module, resources
import sysconfig, sysconfig.registry
assert sysconfig.get_path("stdlib") == {stdlib!r}
assert sysconfig.get_python_version() == {version!r}
assert sysconfig.get_config_var("prefix") and sysconfig.get_platform()
assert isinstance(zoneinfo.TZPATH, tuple)  # made with sysconfig.get_config_var
assert sysconfig.cache.TTLCache is import_module("sysconfig.cache").TTLCache
assert sysconfig.cache.__file__ == {ours!r}
print("fine")
"""


def run(code):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("order", list(IMPORTS))
def test_both_work_whichever_is_imported_first(order):
    import sysconfig

    checks = CHECKS.format(
        stdlib=sysconfig.get_path("stdlib"),
        version=sysconfig.get_python_version(),
        ours=str(ROOT / "sysconfig" / "cache.py"),
    )
    code = f"import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'\n{IMPORTS[order]}\n{checks}"
    done = run(code)

    assert (done.stdout, done.returncode) == ("fine\n", 0), done.stderr


def test_python_itself_does_not_see_the_folder():
    code = "import sysconfig; print(sysconfig.__file__, *getattr(sysconfig, '__path__', ()))"
    done = run(code)

    assert str(ROOT) not in done.stdout.replace(sys.prefix, "")
    assert done.returncode == 0, done.stderr
    assert not (ROOT / "sysconfig" / "__init__.py").exists()
