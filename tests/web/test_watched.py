"""What is known of every request: its id, its view, its time and its status."""

import json
import logging
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import RequestFactory

from allo.celery import app
from allo.site import pages
from allo.web.shared.front import front
from allo.web.watched import watched
from reservations import services
from tests.metrics.counting import Sample, counting
from tests.stock import stocked

GIVEN = "9b0f3c5e-77aa-4bb1-8c1d-0123456789ab"
EMAIL = "asha.rao@example.org"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_connection")]


def ask(path: str, method: str = "GET", data: str = "", **meta: str) -> tuple[int, str, bytes]:
    """The status, the request's id and the body."""
    request = RequestFactory().generic(method, path, data, "application/json")
    environ = request.environ | {"HTTP_HOST": "testserver"} | meta
    said: list[Any] = []
    body = b"".join(watched(front())(environ, lambda *what: said.append(what)))
    status, headers = said[-1][:2]
    (own,) = [value for name, value in headers if name == "X-Request-ID"]
    return int(status.split()[0]), own, body


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What the shop's own handler writes."""
    front()  # the first call sets the loggers up
    (handler,) = [one for one in logging.getLogger().handlers if type(one) is logging.StreamHandler]
    written = StringIO()
    before = handler.setStream(written)
    yield written
    handler.setStream(before)


def broken(*_: object, **__: object) -> None:
    raise RuntimeError("of the test")


def answered(view: str, status: str) -> Sample:
    return "allo_responses_total", {"view": view, "status": status}


@pytest.mark.parametrize(
    ("path", "meta", "view", "status"),
    [
        ("/", {}, "catalog:grid", "2xx"),
        ("/p/tidal/", {}, "catalog:product", "2xx"),
        ("/p/nothing/", {}, "catalog:product", "4xx"),
        ("/livez", {}, "allo.site.pages.livez", "2xx"),
        ("/made-up-by-a-stranger/", {}, "none", "4xx"),
        ("/", {"HTTP_HOST": "made-up.example"}, "none", "4xx"),
        ("/", {"REQUEST_METHOD": "INVENTED"}, "catalog:grid", "4xx"),
        ("/admin/inventory/inventory/", {}, "admin", "3xx"),
    ],
)
def test_a_request_is_counted_by_the_name_of_its_view(path, meta, view, status) -> None:
    stocked(3)
    timed: Sample = ("allo_request_seconds_count", {"view": view})
    with counting(answered(view, status), timed) as grown:
        ask(path, **meta)
    assert grown == [1, 1]


@pytest.mark.parametrize(
    ("proxies", "given", "taken"),
    [
        (1, GIVEN, True),
        (1, "0123456789abcdef0123456789abcdef", True),
        (0, GIVEN, False),
        (1, "", False),
        (1, "short", False),
        (1, "x" * 65, False),
        (1, "0123456789abcdef; evil", False),
        (1, "0123456789abcdef\n", False),
        (1, "０１２３４５６７８９０１２３４５６", False),
    ],
)
def test_the_id_of_a_trusted_proxy_is_taken_if_it_is_well_formed(
    settings, proxies, given, taken
) -> None:
    settings.TRUSTED_PROXIES = proxies
    _, first, _ = ask("/livez", HTTP_X_REQUEST_ID=given)
    _, second, _ = ask("/livez", HTTP_X_REQUEST_ID=given)
    assert (first == second == given) is taken
    if not taken:
        assert re.fullmatch(r"[0-9a-f]{16}", first)
        assert first != second


def test_every_line_and_the_page_of_a_failure_name_its_request(monkeypatch, log) -> None:
    monkeypatch.setattr(pages, "source_of", broken)
    status, own, page = ask("/docs/")
    assert status == 500
    assert f"<code>{own}</code>" in page.decode()
    lines = [line for line in log.getvalue().splitlines() if " ERROR " in line]
    assert lines
    assert all(f" {own} " in line for line in lines)


def taking_a_name_twice(*ignored: object) -> None:
    with transaction.atomic():
        for _ in range(2):
            User.objects.create(username=EMAIL)


def fail_as_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "source_of", taking_a_name_twice)
    assert ask("/docs/")[0] == 500


def fail_as_a_task(_: pytest.MonkeyPatch) -> None:
    app.task(name="of the test")(taking_a_name_twice).apply()
    app.tasks.pop("of the test")


@pytest.mark.parametrize("fail", [fail_as_a_page, fail_as_a_task])
def test_the_log_has_what_failed_in_the_database_but_no_row(monkeypatch, log, fail) -> None:
    fail(monkeypatch)
    said = log.getvalue()
    assert "in taking_a_name_twice\n" in said
    for error in ("psycopg.errors.UniqueViolation", "django.db.utils.IntegrityError"):
        assert f"\n{error}: SQLSTATE 23505, auth_user_username_key\n" in said
    assert EMAIL not in said


def test_problems_of_the_api_name_their_request(monkeypatch, log) -> None:
    stocked(3)
    monkeypatch.setattr(services.Verb, "__call__", broken)
    for path, asked, expected in (
        ("/api/nothing", "", 404),
        ("/api/reservations", '{"product": "tidal", "quantity": 1}', 500),
    ):
        status, own, body = ask(path, "POST", asked)
        assert (status, json.loads(body)["request_id"]) == (expected, own)
        assert log.getvalue().count(f" {own} ") == (status == 500)


def test_what_a_key_keeps_has_no_id_of_one_request() -> None:
    stocked(1)
    asked, key = '{"product": "tidal", "quantity": 2}', {"HTTP_IDEMPOTENCY_KEY": str(uuid4())}
    first, again = (ask("/api/reservations", "POST", asked, **key) for _ in range(2))
    assert (first[0], first[2]) == (again[0], again[2])
    assert json.loads(first[2]).get("code") == "insufficient_stock"
    assert b"request_id" not in first[2]
    assert first[1] != again[1]
