"""How the code is laid out, as the table of docs/development.md: `python tests/layout.py [COMMIT ...]`.

Without a commit: the files of the working tree.
"""

import ast
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
MOST_FILES = 25

# One name in each app on purpose: Django's own, and those that settings find by dotted path.
_CONVENTIONS = {
    *("__init__", "models", "admin", "apps", "checks", "urls", "views", "middleware"),
    *("probes", "panel", "metrics", "retention"),
}
# Two sides of one wire: our client's and the sandbox's.
_TWO_SIDES = {"Order", "Trade", "Ticker", "Market", "ApiKey", "Side", "Bar", "Terms"}
_PROGRAM = ("tradingsite", "healthcheck", "sysconfig")


def python_files(commit: str | None = None) -> dict[PurePosixPath, str]:
    """Return the texts of all Python files by path, without migrations."""
    listed = ["ls-tree", "-r", "--name-only", commit] if commit else ["ls-files"]
    paths = [PurePosixPath(path) for path in _git(*listed).splitlines() if path.endswith(".py")]
    kept = [path for path in paths if "migrations" not in path.parts]
    if commit:
        return {path: _git("show", f"{commit}:{path}") for path in kept}
    return {path: (ROOT / path).read_text() for path in kept if (ROOT / path).exists()}


def files_by_folder(files: Iterable[PurePosixPath]) -> Counter[PurePosixPath]:
    """Return the number of Python files directly in each folder."""
    return Counter(path.parent for path in files)


def double_modules(files: dict[PurePosixPath, str]) -> dict[str, list[str]]:
    """Return module names that stand for more than one thing, with the folders they are in."""
    folders = defaultdict(list)
    for path in _program(files):
        if path.stem not in _CONVENTIONS and "commands" not in path.parts:
            folders[path.stem].append(str(path.parent))
    return {name: found for name, found in folders.items() if len(found) > 1}


def double_classes(files: dict[PurePosixPath, str]) -> dict[str, list[str]]:
    """Return names of classes that are defined in more than one module, with these modules."""
    modules = defaultdict(list)
    for path in _program(files):
        if "commands" in path.parts:
            continue
        for node in ast.parse(files[path]).body:
            if isinstance(node, ast.ClassDef) and node.name not in _TWO_SIDES:
                modules[node.name].append(str(path))
    return {name: sorted(set(found)) for name, found in modules.items() if len(set(found)) > 1}


def rows(files: dict[PurePosixPath, str]) -> Iterator[tuple[str, str]]:
    """Yield the table's rows: what is counted, and the figure."""
    program = _program(files)
    lines = sum(files[path].count("\n") for path in program)
    tests = [path for path in files if path.parts[0] == "tests"]
    folder, most = files_by_folder(program).most_common(1)[0]
    yield "Python files of the program", f"{len(program):,}"
    yield "their lines", f"{lines:,}"
    yield "files of 60 lines or less", f"{sum(0 < files[path].count(chr(10)) <= 60 for path in program)}"
    yield "fullest folder", f"{folder}/: {most}"
    yield "module names with more than one meaning", f"{len(double_modules(files))}"
    yield "class names with more than one meaning", f"{len(double_classes(files))}"
    yield "files of tests", f"{len(tests):,}"
    yield "their lines", f"{sum(files[path].count(chr(10)) for path in tests):,}"


def _program(files: dict[PurePosixPath, str]) -> list[PurePosixPath]:
    return [path for path in files if path.parts[0] in _PROGRAM]


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def main() -> None:
    trees: list[str | None] = [*sys.argv[1:]] or [None]
    columns = [dict(enumerate(rows(python_files(tree)))) for tree in trees]
    heads = [tree or "this tree" for tree in trees]
    write = sys.stdout.write
    write(f"| | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}\n")
    for number, (what, _) in columns[0].items():
        write(f"| {what} | {' | '.join(column[number][1] for column in columns)} |\n")
    for kind in (double_modules, double_classes):
        for name, places in sorted(kind(python_files(trees[-1])).items()):
            sys.stderr.write(f"{kind.__name__}: {name}: {', '.join(places)}\n")


if __name__ == "__main__":
    main()
