"""How the code is laid out, as the table of docs/development.md: `python tests/layout.py [COMMIT ...]`.

Without a commit: the files of the working tree.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
MOST_FILES = 25

# One name in each app on purpose: Django's own, and those that settings find by dotted path.
_CONVENTIONS = {
    *("__init__", "models", "admin", "apps", "checks", "urls", "views", "middleware"),
    *("probes", "panel", "metrics", "retention"),
}
# Two sides of one wire: our client's and the sandbox's.
_TWO_SIDES = {"Order", "OrderRequest", "Trade", "Ticker", "Market", "ApiKey", "Side", "Bar", "Terms"}
# Words that this project used with a meaning of its own; a reader of the field stumbles over each.
_PRIVATE_WORDS = re.compile(r"(?i)(?<![a-z])(told|asked|held|nobody|somebody|beside|lately|whoever)(?![a-z])")
_RULE_NUMBER = re.compile(r"\b(?:[A-Z]|[A-Z][A-Z])[1-9][0-9]?\b(?! ?[-=])")
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


def private_words(files: dict[PurePosixPath, str]) -> float:
    """Return how often the words of `_PRIVATE_WORDS` stand in 1,000 lines."""
    words = sum(len(_PRIVATE_WORDS.findall(text)) for text in files.values())
    return 1000 * words / sum(text.count("\n") for text in files.values())


def rule_numbers_inside(text: str, rules: Collection[str]) -> list[str]:
    """Return the rules, out of `rules`, that comments and docstrings below the module's head name."""
    head = ast.get_docstring(ast.parse(text), clean=False)
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    prose = [token.string for token in tokens if _is_prose(token)]
    numbers = [rule for piece in prose if piece.strip('"') != head for rule in _RULE_NUMBER.findall(piece)]
    return [rule for rule in numbers if rule in rules]


def _is_prose(token: tokenize.TokenInfo) -> bool:
    return token.type == tokenize.COMMENT or (
        token.type == tokenize.STRING and token.string.startswith('"""')
    )


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
    yield "private words in 1,000 lines, tests included", f"{private_words(files):.1f}"
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
