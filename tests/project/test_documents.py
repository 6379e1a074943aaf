"""What the documents say of the code is true: names, defaults, codes, files, and links."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import get_commands

from allo.api_kit import problems
from allo.api_kit.problems import Kind
from allo.celery import LONGEST_QUEUE
from allo.site import api, docs
from allo.site.sources import SOURCES, Source
from allo.staff.roles import ROLES, STOCK
from checkout.api import answers as paying
from reservations import services
from reservations.api import answers, callers
from reservations.exceptions import ReservationError
from tests.running import PROJECT

DOCUMENTS = {source.path: (PROJECT / source.path).read_text() for source in SOURCES}
each_document = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.path)

LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"[\w./-]+\.(?:py|md|conf|toml|txt|svg)|(?:[\w-]+/)+")
# Of the state folder and of the shop's addresses, not of the repository.
ELSEWHERE = ("var/", "servers/", "log/", "mail/", "media/", "STATE_DIR/", "/", "static/")


def prose(source: Source) -> str:
    return FENCE.sub("", DOCUMENTS[source.path])


def rows(path: str) -> Iterator[list[str]]:
    """The cells of each row of each table."""
    for line in DOCUMENTS[path].splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def named(path: str) -> dict[str, list[str]]:
    """The rows whose first cell is a name in code, by that name."""
    found = [(CODE.fullmatch(cells[0].strip("| ")), cells) for cells in rows(path)]
    names = [name[1] for name, _ in found if name]
    assert len(names) == len(set(names)), "a name has two rows"
    return {name[1]: cells[1:] for name, cells in found if name}


# --- links --------------------------------------------------------------------------------------


def github_anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@each_document
def test_headings_have_the_same_anchors_here_as_on_a_code_host(source: Source) -> None:
    document = docs.read(source)
    assert [h.id for h in document.toc] == [github_anchor(h.text) for h in document.toc]
    assert len({h.id for h in document.toc}) == len(document.toc)


@each_document
def test_links_lead_to_files_of_the_repository_and_to_their_headings(source: Source) -> None:
    for link in LINK.findall(prose(source)):
        path, _, anchor = link.partition("#")
        target = (PROJECT / source.path).parent / path if path else PROJECT / source.path
        assert target.exists(), link
        assert PROJECT in target.resolve().parents, link
        if anchor:
            there = next(s for s in SOURCES if (PROJECT / s.path) == target.resolve())
            assert anchor in {heading.id for heading in docs.read(there).toc}, link


def test_the_readme_leads_to_every_document_and_to_the_locks() -> None:
    links = set(LINK.findall(DOCUMENTS["README.md"]))
    assert {source.path for source in SOURCES if source.slug} <= links
    assert "reservations/engine/locks.py" in links


def test_the_readme_is_short() -> None:
    assert len(DOCUMENTS["README.md"].splitlines()) <= 150


@each_document
def test_files_that_are_named_are_there(source: Source) -> None:
    for code in CODE.findall(prose(source)):
        if FILE.fullmatch(code) and not code.startswith(ELSEWHERE):
            assert (PROJECT / code).exists(), code


def texts() -> Iterator[tuple[Path, str]]:
    kinds = {".py", ".md", ".toml", ".html", ".css", ".js", ".conf"}
    folders = ("allo", "catalog", "checkout", "docs", "inventory", "reservations", "templates",
               "tests", "static/css", "static/js")  # fmt: skip
    found = (path for folder in folders for path in (PROJECT / folder).rglob("*"))
    for path in (*found, *PROJECT.glob("*.md"), *PROJECT.glob("*.toml")):
        if path.suffix in kinds:
            yield path, path.read_text()


def test_nothing_speaks_of_a_document_that_is_not_in_the_repository() -> None:
    known = {path.name for path in PROJECT.rglob("*.md") if ".venv" not in path.parts}
    unknown = {
        (str(path.relative_to(PROJECT)), name)
        for path, text in texts()
        for name in re.findall(r"(?<![\w.*])[a-zA-Z][\w-]*\.md\b", text)
        if path != Path(__file__) and name not in known
    }
    assert unknown == set()


# --- settings -----------------------------------------------------------------------------------

READERS = ("allo/settings", "allo/gunicorn.py", "allo/gunicorn_live.py", "allo/embedded",
           "allo/recovery", "checkout/bank")  # fmt: skip
# `env.int("NAME"`, `os.environ.get("NAME"`, `_port(environ, "NAME"`, `setting="LIVE_PORT"`
READ = re.compile(
    r'(?:\benv\.\w+\(|environ(?:\.get\(|\[|, )|setting=|setting: str = )\s*"([A-Z_]+)"'
)


def settings_read() -> set[str]:
    files = [path for name in READERS for path in [PROJECT / name, *(PROJECT / name).glob("*.py")]]
    return {name for path in files if path.is_file() for name in READ.findall(path.read_text())}


def plain_defaults() -> Iterator[tuple[str, str]]:
    """Of settings whose default is written as a number or as a word."""
    sources = [path.read_text() for path in sorted((PROJECT / "allo/settings").glob("*.py"))]
    for node in ast.walk(ast.parse("".join(sources))):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="env")),
                args=[ast.Constant(value=str(name))],
                keywords=[ast.keyword(arg="default", value=ast.Constant(value=default))],
            ) if type(default) is int or (type(default) is str and default):
                yield name, str(default)


def test_every_setting_that_is_read_has_a_row_and_every_row_is_read() -> None:
    assert set(named("docs/settings.md")) == settings_read()


def test_defaults_of_settings_are_those_of_the_code() -> None:
    documented = named("docs/settings.md")
    found = dict(plain_defaults())
    assert len(found) > 25
    for name, default in found.items():
        assert documented[name][0].strip("`") == default, name


# --- what else the tables say -------------------------------------------------------------------


def test_every_refusal_of_the_api_is_documented_with_its_status() -> None:
    kinds = {
        kind.code: str(kind.status)
        for module in (problems, answers, callers, paying)
        for kind in vars(module).values()
        if isinstance(kind, Kind) and kind.code
    }
    calls = {"GET", "POST"}
    documented = {
        code: cells[0]
        for code, cells in named("docs/api.md").items()
        if code.partition(" ")[0] not in calls and cells[0].isdigit()
    }
    assert documented == kinds


@pytest.mark.parametrize("verb", ["reserve", "change", "renew", "confirm"])
def test_the_schema_has_every_refusal_of_a_verb(verb) -> None:
    calls = (call for path in api.schema()["paths"].values() for call in path.values())
    (responses,) = [call["responses"] for call in calls if call["operationId"] == verb]
    problem = (answer["content"].get(problems.MEDIA_TYPE, {}) for answer in responses.values())
    documented = {code for each in problem for code in each.get("examples", {})}
    _, refusals = named("docs/how-it-works.md")[verb]
    assert documented >= set(CODE.findall(refusals)) | {"busy"}


@pytest.mark.parametrize("verb", ["reserve", "change", "renew", "confirm", "release"])
def test_the_docstring_of_a_verb_names_its_refusals(verb) -> None:
    words = getattr(services, "reserve_in" if verb == "reserve" else verb).__doc__
    codes = {kind.__name__: kind.code for kind in ReservationError.__subclasses__()}
    raised = {codes[name] for name in CODE.findall(words) if name in codes}
    _, refusals = named("docs/how-it-works.md")[verb]
    ended = set() if verb == "reserve" else {"reservation_expired", "not_pending"}
    assert raised == set(CODE.findall(refusals)) | ended


def test_every_scope_of_a_token_is_documented() -> None:
    assert set(callers.Scope.values) <= named("docs/api.md").keys()


def test_every_role_is_documented_with_the_permissions_for_stock() -> None:
    roles = {cells[0].strip("| ") for cells in rows("docs/staff.md")}
    assert ROLES.keys() <= roles
    words = set(CODE.findall(DOCUMENTS["docs/staff.md"]))
    assert {name.partition(".")[2] for name in STOCK} <= words


def test_every_event_of_webhooks_is_documented_as_the_schema_has_it() -> None:
    documented = {
        name: cells[0] for name, cells in named("docs/webhooks.md").items() if "." in name
    }
    schema = api.schema()["webhooks"]
    said = {name: item["post"]["summary"].removesuffix(".") for name, item in schema.items()}
    test = {"webhook.test": documented["webhook.test"]}
    assert documented == {name: says[0].lower() + says[1:] for name, says in said.items()} | test


@pytest.mark.django_db
def test_every_field_of_readiness_is_documented(client) -> None:
    assert client.get("/readyz").json().keys() <= named("docs/running-it.md").keys()


def test_constraints_that_keep_the_rules_exist() -> None:
    text = DOCUMENTS["docs/how-it-works.md"]
    part = text[text.index("## What is always true") : text.index("## The life")]
    invariants = [f"I{n}" for n in range(1, 8)] + [f"P{n}" for n in range(1, 10)]
    invariants += [f"W{n}" for n in range(1, 9)]
    assert re.findall(r"\| \*\*([IPW]\d)\*\* \|", part) == invariants
    metas = [model._meta for model in apps.get_models()]
    known = {
        rule.name for meta in metas for rule in (*meta.constraints, *getattr(meta, "triggers", ()))
    }
    columns = {"reserved_units", "total_units", "expires_at", "list_needs"}
    columns |= {"audit_stock", "audit_money"}
    wanted = {name for name in CODE.findall(part) if re.fullmatch(r"[a-z]+(_[a-z]+)+", name)}
    assert len(wanted - columns) > 30
    assert wanted - columns - known == set()


def test_a_queue_without_a_worker_is_full_when_the_documents_say() -> None:
    periods = [each["schedule"] for each in settings.CELERY_BEAT_SCHEDULE.values()]
    hourly = sum(3600 / period for period in periods if isinstance(period, int | float))
    words = r"\| ([\d,]+) tasks, which a shop without a worker queues in (\d+) hours;"
    [said] = re.findall(words, DOCUMENTS["docs/running-it.md"])
    assert said == (f"{LONGEST_QUEUE:,}", f"{LONGEST_QUEUE / hourly:.0f}")


@each_document
def test_commands_that_are_named_exist(source: Source) -> None:
    named_there = re.findall(r"manage\.py ([a-z_]+)", DOCUMENTS[source.path])
    assert set(named_there) <= get_commands().keys()


def test_the_changelog_begins_with_this_version() -> None:
    project = (PROJECT / "pyproject.toml").read_text()
    changes = (PROJECT / "CHANGELOG.md").read_text()
    version = re.search(r'^version = "(.+)"', project, re.MULTILINE)
    newest = re.search(r"^## (\S+) – \d{4}-\d\d-\d\d$", changes, re.MULTILINE)
    assert version
    assert newest
    assert newest[1] == version[1]
