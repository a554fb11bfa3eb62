"""Reads message catalogues, and finds the texts marked in code and templates, without gettext's tools."""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

from django.template import engines
from django.template.base import Node
from django.templatetags.i18n import BlockTranslateNode, TranslateNode

ROOT = Path(__file__).parents[2]
CATALOGUE = ROOT / "tradingsite" / "locale" / "ko" / "LC_MESSAGES" / "django.po"
MARKERS = {"gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
MARKERS_WITH_CONTEXT = {"pgettext", "pgettext_lazy"}
CONTEXT_ENDS = "\x04"
"""Compiled catalogues put it between a context and its msgid; so does everything here."""


def in_code() -> dict[str, Path]:
    """Return every msgid in our packages, and a file that holds it."""
    found: dict[str, Path] = {}
    for package in ("sysconfig", "healthcheck", "tradingsite"):
        for path in (ROOT / package).rglob("*.py"):
            found |= dict.fromkeys(_marked(ast.parse(path.read_text())), path)
    return found


def _marked(tree: ast.Module) -> Iterator[str]:
    imported: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation":
            imported |= {alias.asname or alias.name: alias.name for alias in node.names}
    for node in ast.walk(tree):
        match node:
            case ast.Call(ast.Name(name), [ast.Constant(str(text)), *_]) if imported.get(name, "") in MARKERS:
                yield text
            case ast.Call(ast.Name(name), [ast.Constant(str(context)), ast.Constant(str(text)), *_]) if (
                imported.get(name, "") in MARKERS_WITH_CONTEXT
            ):
                yield f"{context}{CONTEXT_ENDS}{text}"


def in_templates() -> dict[str, Path]:
    """Return every msgid in our templates, and a file that holds it."""
    found = {}
    for path in (ROOT / "templates").rglob("*.html"):
        template = engines["django"].from_string(path.read_text())
        for node in template.template.nodelist.get_nodes_by_type(Node):  # type: ignore[attr-defined]  # the backend's
            if isinstance(node, TranslateNode):
                found[str(node.filter_expression.var.literal)] = path
            if isinstance(node, BlockTranslateNode):
                found[node.render_token_list(node.singular)[0]] = path
    return found


def read_po(path: Path) -> dict[str, list[str]]:
    """Return a catalogue's texts by msgid: one, or one for each plural form.

    Raises:
        ValueError: an entry is marked fuzzy, so its text is not checked.
    """
    entries: dict[str, list[str]] = {}
    texts: dict[str, str] = {}
    for line in [*path.read_text().splitlines(), ""]:
        if line.startswith("#,") and "fuzzy" in line:
            raise ValueError(f"fuzzy entry in {path}")
        if match := re.match(r'(msg\w+(?:\[\d\])?) (".*")$', line):
            texts[match[1]] = ast.literal_eval(match[2])
        elif line.startswith('"'):
            last = list(texts)[-1]
            texts[last] += ast.literal_eval(line)
        elif not line and "msgid" in texts:
            context = f"{texts['msgctxt']}{CONTEXT_ENDS}" if "msgctxt" in texts else ""
            entries[context + texts["msgid"]] = [
                text for name, text in texts.items() if name.startswith("msgstr")
            ]
            texts = {}
    return entries


def read_mo(path: Path) -> dict[str, list[str]]:
    """Return the same as `read_po`, from the compiled catalogue."""
    with path.open("rb") as compiled:
        catalogue = gettext.GNUTranslations(compiled)._catalog  # type: ignore[attr-defined]  # no public way to list
    texts: dict[str, list[str]] = {}
    for key, text in sorted(catalogue.items(), key=str):
        texts.setdefault(key[0] if isinstance(key, tuple) else key, []).append(text)
    return texts


def placeholders(text: str) -> list[str]:
    """Return the placeholders: `%(name)s` and the script's `{name}`."""
    return sorted(set(re.findall(r"%\(\w+\)|%s|%d|\{\w+\}", text)))
