"""What is known of every request: its id, its view, its time and its status."""

from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory

from allo.web.shared.front import front
from allo.web.watched import watched
from tests.metrics.counting import Sample, counting
from tests.stock import stocked

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _one_connection(monkeypatch) -> None:
    """The end of a request does not close the connection, which is in the test's transaction."""
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: None)


def ask(path: str, method: str = "GET", **meta: str) -> tuple[int, str, bytes]:
    """The status, the request's id and the body."""
    environ = RequestFactory().generic(method, path).environ | {"HTTP_HOST": "testserver"} | meta
    said: list[Any] = []
    body = b"".join(watched(front())(environ, lambda *what: said.append(what)))
    status, headers = said[-1][:2]
    (own,) = [value for name, value in headers if name == "X-Request-ID"]
    return int(status.split()[0]), own, body


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
