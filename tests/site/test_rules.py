"""Numbered rules: each prefix belongs to one page of docs/, and each number that is cited is there."""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.layout import python_files, rule_numbers_inside

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
PROGRAM = ("sysconfig", "healthcheck", "tradingsite", "tests")
DEFINED = re.compile(r"^(?:- )?(?:\*\*|\| )([A-Z]{1,2})(\d+)\b", re.MULTILINE)
CITED = re.compile(r"\b([A-Z]{1,2})(\d{1,2})(?: to ([A-Z]{1,2})?(\d{1,2}))?\b")
QUOTED_HEADING = re.compile(r'docs/([\w-]+\.md), "([^"]+)"')
RULE_OF_PAGE = re.compile(r"docs/([\w-]+\.md),? (?:rules? )?([A-Z]{1,2})\d")
NUMBERED = re.compile(r"docs/([\w-]+\.md),? (\d+(?:(?:,| to| and) \d+)*)")


def rules():
    """Return the numbers of each prefix, by page."""
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for page in PAGES:
        for prefix, number in DEFINED.findall(page.read_text()):
            found[prefix][page.name].append(int(number))
    return found


def docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def cited(text: str) -> Iterator[tuple[str, int]]:
    for prefix, first, _, last in CITED.findall(text):
        yield prefix, int(first)
        if last:
            yield prefix, int(last)


@pytest.fixture(scope="module")
def files():
    return {
        path.relative_to(ROOT): "\n".join(docstrings(path))
        for folder in PROGRAM
        for path in (ROOT / folder).rglob("*.py")
    }


def test_prefix_belongs_to_one_page():
    pages = {prefix: sorted(by_page) for prefix, by_page in rules().items()}

    assert len(pages) >= 10
    assert {prefix: names for prefix, names in pages.items() if len(names) > 1} == {}


def test_rule_has_a_number_of_its_own():
    numbers = [(prefix, n) for prefix, by_page in rules().items() for ns in by_page.values() for n in ns]

    assert [rule for rule, times in Counter(numbers).items() if times > 1] == []


def test_docs_cite_only_rules_that_exist():
    known = {(prefix, n) for prefix, by_page in rules().items() for ns in by_page.values() for n in ns}
    prefixes = {prefix for prefix, _ in known}
    wrong = {
        (page.name, prefix, number)
        for page in PAGES
        for prefix, number in cited(re.sub(r"`[^`]*`", "", page.read_text()))
        if prefix in prefixes and (prefix, number) not in known
    }

    assert wrong == set()


def test_code_cites_only_rules_that_exist(files):
    known = {(prefix, n) for prefix, by_page in rules().items() for ns in by_page.values() for n in ns}
    prefixes = {prefix for prefix, _ in known}
    wrong = {
        (path, prefix, number)
        for path, text in files.items()
        for prefix, number in cited(text)
        if prefix in prefixes and (prefix, number) not in known
    }

    assert wrong == set()


def test_code_cites_only_numbers_that_their_page_has(files):
    wrong = []
    for path, text in files.items():
        for page, numbers in NUMBERED.findall(" ".join(text.split())):
            there = re.findall(r"^(\d+)\. ", (ROOT / "docs" / page).read_text(), re.MULTILINE)
            wrong += [(path, page, number) for number in re.findall(r"\d+", numbers) if number not in there]

    assert wrong == []


def test_code_cites_only_headings_that_their_page_has(files):
    wrong = []
    for path, text in files.items():
        for page, heading in QUOTED_HEADING.findall(" ".join(text.split())):
            headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / page).read_text(), re.MULTILINE)
            wrong += [(path, page, heading)] if heading not in headings else []

    assert wrong == []


def test_code_cites_each_rule_with_the_page_that_defines_it(files):
    pages = {prefix: set(by_page) for prefix, by_page in rules().items()}
    wrong = [
        (path, page, prefix)
        for path, text in files.items()
        for page, prefix in RULE_OF_PAGE.findall(" ".join(text.split()))
        if prefix in pages and page not in pages[prefix]
    ]

    assert wrong == []


def test_rule_numbers_are_at_the_heads_of_modules_only():
    known = {f"{prefix}{n}" for prefix, by_page in rules().items() for ns in by_page.values() for n in ns}

    inside = {str(path): rule_numbers_inside(text, known) for path, text in python_files().items()}

    assert len(known) > 150
    assert {path: numbers for path, numbers in inside.items() if numbers} == {}
