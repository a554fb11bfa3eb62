"""The documentation lists every variable and dependency, and its links work."""

import re
from pathlib import Path

import pytest

import tradingsite
from tradingsite.env import Environment

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("name", [name.upper() for name in Environment.model_fields])
def test_every_variable_is_documented(name):
    configuration = (ROOT / "docs/configuration.md").read_text()
    example = (ROOT / ".env.example").read_text()

    assert f"| `{name}` |" in configuration
    assert re.search(rf"^# {name}=", example, re.MULTILINE)


def test_documentation_lists_no_removed_variable():
    names = {name.upper() for name in Environment.model_fields}
    environment = (ROOT / "docs/configuration.md").read_text().split("## Config keys")[0]

    assert set(re.findall(r"^\| `([A-Z_]+)` \|", environment, re.MULTILINE)) == names
    assert set(re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)) == names


def test_every_dependency_is_documented():
    named = set()
    for file in ("requirements.in", "requirements-dev.in"):
        for line in (ROOT / file).read_text().splitlines():
            if line and not line.startswith(("#", "-r")):
                named.add(re.split(r"[\[<>=]", line)[0])
    rows = re.findall(r"^\| ([a-z0-9, -]+) \|", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE)
    documented = {name.strip() for row in rows for name in row.split(",")} - {"package"}

    assert documented == named


def test_version_is_the_changelogs_top_entry():
    entries = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert entries[0] == tradingsite.__version__


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_have_targets(page):
    for target, anchor in re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", page.read_text()):
        file = (page.parent / target) if target else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings], anchor


def written_paths(page):
    """Return each path of this repository in a page's code spans, and the name after `::` or ""."""
    span = r"`((?:sysconfig|healthcheck|tradingsite|templates|tests|docs|benchmarks)/[\w./-]*)(?:::(\w+))?`"
    return re.findall(span, page.read_text())


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.stem
)
def test_docs_name_only_paths_that_exist(page):
    assert [path for path, _ in written_paths(page) if not (ROOT / path).exists()] == []


def test_development_page_names_only_tests_and_functions_that_exist():
    named = [(path, name) for path, name in written_paths(ROOT / "docs/development.md") if name]

    assert len(named) > 50
    for path, name in named:
        defined = rf"^ *(?:def|async def|class) {name}\b|^{name}\b.* = "
        assert re.search(defined, (ROOT / path).read_text(), re.MULTILINE), f"{path}::{name}"


def test_index_lists_every_page():
    index = (ROOT / "docs/README.md").read_text()
    linked = {(ROOT / "docs" / target).resolve() for target in re.findall(r"\]\(([^)#]+)\)", index)}

    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - linked == {
        ROOT / "docs/README.md"
    }
    assert "(docs/README.md)" in (ROOT / "README.md").read_text()


def test_lock_files_have_hashes_and_no_addresses():
    for file in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / file).read_text()

        assert "--hash=sha256:" in text
        assert "://" not in text
