"""Responses while the database is unreachable or read-only: never a traceback."""

import logging

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.template import loader

from catalog.models import Product
from reservations import services
from reservations.clock.tasks import expire_due
from reservations.models import Reservation
from tests.database.conftest import connected
from tests.stock import stocked

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = [
    "/", "/?q=tidal", "/p/tidal/", "/p/tidal/reserve/", "/p/tidal/stock/", "/sitemap.xml",
    "/admin/", "/admin/reservations/reservation/", "/reservations/",
    "/checkout/00000000-0000-4000-8000-000000000000/",
]  # fmt: skip
CALLS = [
    "/api/products", "/api/products/tidal",
    "/api/reservations/00000000-0000-4000-8000-000000000000",
]  # fmt: skip
BARE = "The shop’s database does not answer at the moment."


@pytest.fixture
def client(client):
    """A client that gets the error page, like a browser, not the exception."""
    client.raise_request_exception = False
    return client


@pytest.fixture
def known(client):
    """A client with a session, which is in the database too."""
    stocked(5)
    client.force_login(User.objects.create_superuser("boss"))
    return client


def settled(log) -> None:
    """The log has one line for each error, without a traceback."""
    assert log.records
    assert not [record for record in log.records if record.exc_info]


def test_without_a_database_each_page_says_so(known, caplog) -> None:
    caplog.set_level(logging.WARNING)
    with connected({}, HOST="/nowhere"):
        responses = {page: known.get(page) for page in PAGES}
    assert {page: response.status_code for page, response in responses.items()} == dict.fromkeys(
        PAGES, 503
    )
    for response in responses.values():
        assert BARE in response.content.decode()
        assert response.headers["Retry-After"] == "2"
        # A part that htmx requested stays as it is, and so does the title.
        assert response.headers["HX-Reswap"] == "none ignoreTitle:true"
        assert "no-store" in response.headers["Cache-Control"]
    settled(caplog)


def test_without_a_database_each_call_is_busy(known, caplog) -> None:
    caplog.set_level(logging.WARNING)
    with connected({}, HOST="/nowhere"):
        responses = [known.get(call) for call in CALLS]
    answers = [(r.status_code, r.json()["code"], r.headers["Retry-After"]) for r in responses]
    assert answers == [(503, "busy", "2")] * len(CALLS)
    settled(caplog)


def test_a_form_to_a_read_only_server_gets_the_busy_page(client) -> None:
    stocked(5)
    client.get("/p/tidal/reserve/")
    with connected({"options": "-c default_transaction_read_only=on"}):
        page = client.post("/p/tidal/reserve/", {"quantity": 1, "idempotency_key": "k"})
        call = client.post(
            "/api/reservations", {"product": "tidal", "quantity": 1}, "application/json"
        )
        ready = client.get("/readyz")
    assert (page.status_code, page.headers["Retry-After"]) == (503, "2")
    assert (call.status_code, call.json()["code"]) == (503, "busy")
    assert (ready.status_code, ready.json()["database"]) == (503, "read only")
    assert not Reservation.objects.exists()


def test_a_staff_page_on_a_read_only_server_is_503(known) -> None:
    product = Product.objects.get()
    with connected({"options": "-c default_transaction_read_only=on"}):
        page = known.post("/admin/catalog/product/unpublish/", {"id": product.pk})
        login = known.post("/admin/logout/")
    assert page.status_code == login.status_code == 503


def test_readiness_fails_without_a_database(client) -> None:
    with connected({}, HOST="/nowhere"):
        response = client.get("/readyz")
    assert response.status_code == 503
    facts = {name: response.json()[name] for name in ("ready", "database", "redis")}
    assert facts == {"ready": False, "database": "OperationalError", "redis": "ok"}


def test_a_failed_task_is_logged_in_one_line(caplog) -> None:
    caplog.set_level(logging.WARNING)
    with connected({}, HOST="/nowhere"):
        expire_due.apply()
    assert [record.getMessage() for record in caplog.records if record.name == "allo.celery"] == [
        "reservations.clock.tasks.expire_due was not done: busy: OperationalError (no SQLSTATE)"
    ]
    settled(caplog)


def test_a_mistake_of_ours_is_still_a_500(client, monkeypatch) -> None:
    def mistaken(*_: object, **__: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nothing FROM nowhere")

    stocked(5)
    client.get("/p/tidal/reserve/")
    monkeypatch.setattr(services.Verb, "__call__", mistaken)
    monkeypatch.setattr(services.Verb, "once", mistaken)
    page = client.post("/p/tidal/reserve/", {"quantity": 1, "idempotency_key": "k"})
    call = client.post("/api/reservations", {"product": "tidal", "quantity": 1}, "application/json")
    assert (page.status_code, call.status_code) == (500, 500)
    # The address of a form may have no page.
    assert "Try again<" not in page.content.decode()
    assert call.json()["code"] == "internal_error"


@pytest.mark.parametrize(
    ("template", "code"), [("500.html", ""), ("503.html", "storage"), ("503.html", "unavailable")]
)
def test_no_page_of_an_error_says_that_nothing_was_charged(template, code) -> None:
    """It may be shown to somebody who comes back from the bank, and has paid."""
    page = loader.render_to_string(template, {"code": code})
    assert "charged" not in page
    assert "If you have just paid, your order shows it" in page
