"""Public calls: products, warehouses, the schema; and conditional requests."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from allo.api_kit import problems
from allo.api_kit.problems import Kind
from allo.site.api import schema
from checkout.api import answers as paying
from inventory.models import Inventory
from reservations.api import answers, callers
from tests.api.http import Caller, Stock
from tests.stock import stocked


@pytest.fixture
def shelves(db) -> None:
    stocked(5)
    stocked(3, warehouse="del-01")
    for n in range(22):
        stocked(1 if n else 0, product=f"vase-{n:02}")


@pytest.mark.usefixtures("shelves")
def test_products_come_by_pages_with_what_each_warehouse_has(client) -> None:
    first = client.get("/api/products?sort=name").json()
    assert (first["count"], len(first["results"]), first["previous"]) == (23, 21, None)
    assert first["next"].startswith("/api/products?sort=name&page=2&after=")
    assert first["results"][0]["slug"] == "tidal"
    assert first["results"][0]["available"] == 8
    assert first["results"][0]["stock"] == [
        {"warehouse": "blr-01", "available": 5, "total": 5},
        {"warehouse": "del-01", "available": 3, "total": 3},
    ]
    last = client.get(first["next"]).json()
    assert (len(last["results"]), last["next"]) == (2, None)
    assert last["previous"] == "/api/products?sort=name&page=1"


@pytest.mark.usefixtures("shelves")
@pytest.mark.parametrize(
    ("query", "found"),
    [("q=tidal", 1), ("q=zzz", 0), ("in_stock=true", 22), ("in_stock=1&category=vases", 22),
     ("in_stock=0", 23), ("in_stock=", 23), ("q=tidla", 1), ("q=%25", 0), ("q=%27", 0)],
)  # fmt: skip
def test_filters_give_the_same_products_as_the_grid(client, query, found) -> None:
    assert client.get(f"/api/products?{query}").json()["count"] == found


@pytest.mark.usefixtures("shelves")
@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("page=0", 422, "page"), ("page=x", 422, "page"), ("page=1.0", 422, "page"),
        ("page=", 422, "page"), ("page=1000000", 422, "page"), ("page=1&page=2", 422, "page"),
        ("sort=evil", 422, "sort"), ("q=%00", 422, "q"), (f"q={'x' * 101}", 422, "q"),
        ("size=red", 422, "size"), ("colour=Red", 422, "colour"), ("category=nope", 404, ""),
        ("category=%00", 422, "category"),
        ("in_stock=maybe", 422, "in_stock"), ("after=x", 404, ""),
        ("after=1~2~3", 404, ""), ("after=%00", 422, "after"),
    ],
)  # fmt: skip
def test_an_invalid_filter_is_refused_by_name(client, query, status, field) -> None:
    answer = client.get(f"/api/products?{query}")
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    if field:
        assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.usefixtures("shelves")
@pytest.mark.parametrize("address", ["/api/products", "/api/warehouses"])
def test_a_page_past_the_end_has_no_results_and_no_next(client, address) -> None:
    answer = client.get(f"{address}?page=9999")
    assert answer.status_code == 200
    assert answer.json()["results"] == []
    assert answer.json()["next"] is None


@pytest.mark.usefixtures("shelves")
def test_following_next_misses_no_product_that_stays(client) -> None:
    """The first products sell out meanwhile, so the list becomes shorter than a page."""
    first = client.get("/api/products?in_stock=1&sort=name").json()
    seen = [result["slug"] for result in first["results"]]
    Inventory.objects.filter(product__slug__in=seen).update(reserved_units=F("total_units"))
    last = client.get(first["next"]).json()
    seen += [result["slug"] for result in last["results"]]
    assert sorted(seen) == sorted({"tidal", *(f"vase-{n:02}" for n in range(1, 22))})


@pytest.mark.parametrize("many", [1, 30])
@pytest.mark.parametrize(
    ("address", "queries"),
    [("/api/products", 5), ("/api/products?category=vases&in_stock=1&q=vase", 7),
     ("/api/products/vase-0", 3), ("/api/warehouses", 2), ("/api/openapi.json", 0),
     ("/api/docs", 0), ("/api/nope", 0)],
)  # fmt: skip
def test_as_many_queries_for_many_as_for_one(  # noqa: PLR0917
    db, client, django_assert_num_queries, many, address, queries
) -> None:
    for n in range(many):
        stocked(3, product=f"vase-{n}")
    with django_assert_num_queries(queries):
        assert client.get(address).status_code in {200, 404}


def test_an_anonymous_reserve_runs_only_the_engines_queries_once_shelves_are_cached(
    db, client
) -> None:
    stocked(9)
    body = {"product": "tidal", "quantity": 1}
    client.post("/api/reservations", body, "application/json")
    with CaptureQueriesContext(connection) as asked:
        client.post("/api/reservations", body, "application/json")
    # One of them is the engine's query for the price.
    assert not [query for query in asked if '"catalog_product"' in query["sql"]]


def test_unchanged_content_is_304_also_through_gzip(caller: Caller, stock: Stock) -> None:
    slug = stock.of(5)
    held = caller.reserve(slug)
    caller.token = held.json["token"]
    zipped = caller.get("/api/products", Accept_Encoding="gzip")
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.headers["etag"].startswith("W/")
    assert json.loads(gzip.decompress(zipped.body)) == caller.get("/api/products").json
    for path in ("/api/products", f"/api/products/{slug}", held.headers["location"]):
        first = caller.get(path, Accept_Encoding="gzip")
        assert "no-cache" in first.headers["cache-control"]
        again = caller.get(path, Accept_Encoding="gzip", If_None_Match=first.headers["etag"])
        assert (again.status, again.body) == (304, b"")
    seen = caller.get(f"/api/products/{slug}").headers["etag"]
    caller.token = ""
    caller.reserve(slug)
    assert caller.get(f"/api/products/{slug}", If_None_Match=seen).status == 200


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("PUT", "/api/reservations", "OPTIONS, POST"), ("DELETE", "/api/products",
     "GET, HEAD, OPTIONS"), ("GET", "/api/reservations", "OPTIONS, POST"),
     ("POST", "/api/openapi.json", "GET, HEAD, OPTIONS")],
)  # fmt: skip
def test_a_wrong_method_gets_the_allowed_ones(client, method, path, allow) -> None:
    answer = client.generic(method, path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == allow
    options = client.options(path)
    assert (options.status_code, options.headers["Allow"]) == (204, allow)


def test_errors_outside_of_calls_are_problems_too(caller: Caller) -> None:
    for path, headers, answer in (
        ("/api/nope", {}, (404, "not_found")),
        ("/api/products/", {}, (404, "not_found")),
        ("/api/products", {"Host": "evil.example"}, (400, "bad_request")),
    ):
        reply = caller.get(path, **headers)
        assert (reply.status, reply.code) == answer
    assert caller.get("/api/products").status == 200


def contents() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Of each answer of each call: its status, its media type, and what the schema says of it."""
    calls = (call for methods in schema()["paths"].values() for call in methods.values())
    for call in calls:
        for status, answer in call["responses"].items():
            for media, content in answer.get("content", {}).items():
                yield status, media, content


def test_the_schema_has_an_example_of_every_answer_and_every_code() -> None:
    shown = set()
    for status, media, content in contents():
        examples = content.get("examples", {})
        assert "example" in content or examples or media == "text/html", content
        for code, example in examples.items():
            said = example["value"]
            assert (said["code"], said["status"]) == (code, int(status))
            shown.add(code)
    kinds = {
        kind.code
        for module in (problems, answers, callers, paying)
        for kind in vars(module).values()
        if isinstance(kind, Kind)
    }
    # The server's own, in HTML, and that of a method that no call has.
    assert kinds - shown == {"", "method_not_allowed"}


@pytest.mark.django_db
def test_the_documentation_shows_every_call(client) -> None:
    page = client.get("/api/docs").content.decode()
    for path, methods in schema()["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}" in page
            assert f'id="{operation["operationId"]}"' in page
    for field in ("payment_method", "buyer", "buyer.email", "buyer.address.pin"):
        assert f"<code>{field}</code>" in page
