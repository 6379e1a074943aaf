"""No style sheet has a rule without a page, and every sheet reaches a page."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import django
from pygments.token import STANDARD_TYPES

from tests.running import PROJECT

SHEETS = PROJECT / "static/css"
DJANGO = Path(django.__file__).parent
# Where a rule's class or id may be used: our pages and scripts, and Django's admin.
SOURCES = (
    (PROJECT / "templates", "*.html"),
    (PROJECT / "static/js", "*.js"),
    *((PROJECT / app, "*.py") for app in ("allo", "catalog", "checkout", "inventory")),
    (PROJECT / "reservations", "*.py"),
    (DJANGO / "contrib/admin", "*.html"),
    (DJANGO / "contrib/admin", "*.py"),
    (DJANGO / "contrib/admin/static/admin/js", "*.js"),
    (DJANGO / "forms", "*.py"),
)
NOT_A_SELECTOR = re.compile(r'/\*.*?\*/|"[^"]*"|[\w-]+:[^;{}]*;|@[^{;]*[{;]', re.DOTALL)
NAME = re.compile(r"[.#]([a-zA-Z][\w-]*)")


def sheets() -> list[Path]:
    return sorted(SHEETS.rglob("*.css"))


@cache
def sources() -> str:
    files = (file for folder, kind in SOURCES for file in folder.rglob(kind))
    return "\n".join(file.read_text() for file in files)


def names(sheet: str) -> set[str]:
    """Return the classes and ids in its rules."""
    return set(NAME.findall(NOT_A_SELECTOR.sub(" ", sheet)))


def beginnings(name: str) -> Iterator[str]:
    """Yield the prefixes of names that are composed: "bar-{{ series }}", "bar-%s"."""
    for dash in re.finditer("-", name):
        yield from (name[: dash.end()] + rest for rest in ("{", "%s"))


def is_used(name: str) -> bool:
    """Whether any source contains it as a word (so a rule for a common word passes wrongly)."""
    whole = re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", sources())
    return bool(whole) or any(beginning in sources() for beginning in beginnings(name))


def unused(sheet: str) -> set[str]:
    return {name for name in names(sheet) - set(STANDARD_TYPES.values()) if not is_used(name)}


def test_every_class_and_id_of_a_rule_is_on_some_page() -> None:
    dead = {sheet.name: unused(sheet.read_text()) for sheet in sheets()}
    assert not {sheet: found for sheet, found in dead.items() if found}


def test_a_rule_for_what_no_page_has_is_found() -> None:
    sheet = "@layer pages { .hero, .no-such-a { margin: 0.5rem; &.no-such-b #no-such-c { } } }"
    assert unused(sheet) == {"no-such-a", "no-such-b", "no-such-c"}


def test_every_style_sheet_is_linked_by_a_page_or_imported_by_one_that_is() -> None:
    linked = {SHEETS / name for name in re.findall(r"css/([\w/-]+\.css)", sources())}
    imported = {
        sheet.parent / name
        for sheet in linked & set(sheets())
        for name in re.findall(r'@import "([\w/-]+\.css)"', sheet.read_text())
    }
    assert set(sheets()) - linked - imported == set()
