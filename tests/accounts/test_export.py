"""All that the shop knows of a person is in the export, and goes with the account."""

import json
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessAttemptExpiration, AccessFailureLog, AccessLog
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from allo.accounts import exporting
from allo.accounts.models import Account, SignIn
from allo.codes.models import EmailCode
from allo.outbox.models import Delivery, Message, Webhook
from checkout import addresses
from checkout.models import (
    Address,
    Charge,
    Contact,
    Order,
    OrderEvent,
    OrderLine,
    Payment,
    Refund,
)
from inventory.models import StockImport, StockImportFile, StockImportRow, StockMovement
from reservations import services
from reservations.models import (
    AdoptedHolder,
    ApiToken,
    CooldownLift,
    IdempotencyKey,
    ListClosure,
    Reservation,
    StaffAction,
    WaitingEntry,
)
from tests.accounts.signing_in import ask, last_code, signed_in
from tests.accounts.test_addresses import SAVED
from tests.accounts.traces import empty, tables_with
from tests.checkout.orders import refund
from tests.project.test_documents import named
from tests.shopping import holding, press
from tests.stock import stocked
from tests.waiting import joined

pytestmark = pytest.mark.django_db

EMAIL = "Asha.Marker@example.org"
NAME, PHONE, ROAD = "Asha Marker", "+919845012345", "12 Marker Road"
PERSON = {"name": NAME, "email": EMAIL, "phone": PHONE, "line1": ROAD}


# --- which tables are about people -------------------------------------------------------------

# A field of one of these names says who somebody is, or where.
TELLS = {
    "account", "address", "browser", "client", "device", "email", "email_key", "holder",
    "ip_address", "line1", "phone", "session", "to", "user_agent", "username",
}  # fmt: skip
EXPORTED = {
    User, Account, SignIn, Session, EmailCode, Message, Address, Reservation, Contact, Order,
    OrderLine, OrderEvent, Payment, Charge, Refund, AccessLog, AdoptedHolder, WaitingEntry,
}  # fmt: skip
# About staff, and merchants: shoppers have no password, and do nothing in the admin.
OF_STAFF = {
    AccessAttempt, AccessAttemptExpiration, AccessFailureLog, CooldownLift, LogEntry, ApiToken,
    Delivery, ListClosure, StaffAction, StockImport, StockImportFile, StockImportRow, StockMovement,
    Webhook,
}  # fmt: skip
# Answers to what a browser did, for a day; what they say is in what they are about.
REPLIES = {IdempotencyKey}


def about_people() -> set[type[Model]]:
    """Models with a telling field, and those that belong to a row of one of them."""
    models = {model for model in apps.get_models() if not model._meta.proxy}
    found = {m for m in models if TELLS & {field.name for field in m._meta.fields}}
    found |= {User, Session}
    while more := {m for m in models - found if found & _targets(m)}:
        found |= more
    return found


def _targets(model: type[Model]) -> set[Any]:
    return {field.related_model for field in model._meta.fields if field.is_relation}


def test_every_table_about_people_is_exported_or_is_none_of_the_shoppers() -> None:
    assert about_people() == EXPORTED | OF_STAFF | REPLIES


# Names of other rows, and what opens or steers something.
WITHHELD = {
    Reservation: {"inventory_id", "holder", "paying_since", "window_given", "provider_failed_at"},
    Contact: set(),
    Order: {"id", "holder", "account_id", "by_program"},
    Address: {"id", "account_id"},
    WaitingEntry: {"product_id", "warehouse_id", "needs", "email_key", "followed_up"},
    Message: {
        "id", "key", "context", "claimed_at", "tries", "next_try_at", "error",
    },
    EmailCode: {"id", "browser", "email_key", "about", "ends_at", "tries"},
}  # fmt: skip
TOLD: dict[type[Model], set[str]] = {
    Reservation: {*exporting.RESERVATION},
    Contact: {*exporting.CONTACT},
    Order: {*exporting.ORDER},
    Address: {*SAVED, "used_at"},
    WaitingEntry: {*exporting.ENTRY} - {"product__name", "warehouse__name"},
    Message: {*exporting.MESSAGE},
    EmailCode: {*exporting.CODE},
}


@pytest.mark.parametrize("model", WITHHELD, ids=lambda model: model.__name__)
def test_every_column_about_a_person_is_exported_or_withheld_for_a_reason(model) -> None:
    columns = {field.attname for field in model._meta.concrete_fields}
    assert columns == TOLD[model] | WITHHELD[model]


# --- a person, with a row in each of them ----------------------------------------------------


@pytest.fixture
def asha() -> Client:
    """A person that did everything that a shopper can do."""
    row = stocked(9)
    client = Client()
    services.release(reservation_id=holding(client, row).pk)
    signed_in(EMAIL, client)
    person = User.objects.get()
    addresses.save(person.pk, {**SAVED, "name": NAME, "line1": ROAD})
    press(client, dropped := holding(client, row), "contact", **PERSON)
    services.release(reservation_id=dropped.pk)
    assert press(client, holding(client, row, 2), "confirm", **PERSON).status_code == 303
    order = Order.objects.get()
    refund(order.charges.get(), 5)
    order.order_events.create(what="packed")
    holding(client, row)
    joined(stocked(0, product="sold-out"), email=EMAIL, quantity=3)
    signed_in(EMAIL)
    ask(Client(), EMAIL)
    return client


def ravi() -> None:
    """Somebody else, of whom nothing may be seen."""
    other = signed_in("ravi@example.org")
    row = stocked(5, product="bowl")
    press(other, holding(other, row), "confirm", name="Ravi Other", email="ravi@example.org")


def exported(client: Client) -> dict[str, Any]:
    response = client.get("/account/export/")
    assert response.streaming
    assert response.headers["Content-Disposition"] == 'attachment; filename="allo-account.json"'
    assert "no-store" in response.headers["Cache-Control"]
    found: dict[str, Any] = json.loads(response.getvalue())
    return found


def test_the_export_has_all_that_there_is_of_the_person(asha) -> None:
    ravi()
    told = exported(asha)
    assert empty(model._meta.db_table for model in EXPORTED) == set()
    assert told["profile"] == {"email": EMAIL, "since": told["profile"]["since"]}
    assert (len(told["sign_ins"]), len(told["browsers"])) == (2, 1)
    assert {entry["logout_time"] for entry in told["access_log"]} == {None}
    assert [code["used_at"] is None for code in told["codes"]].count(True) == 1
    assert [address["line1"] for address in told["addresses"]] == [ROAD]
    assert [(held["quantity"], held["status"]) for held in told["reservations"]] == [
        (1, "released"), (1, "released"), (2, "confirmed"), (1, "pending"),
    ]  # fmt: skip
    (entry,) = told["waiting_lists"]
    assert (entry["product__name"], entry["quantity"], entry["email"]) == ("Sold-Out", 3, EMAIL)
    assert {contact["line1"] for contact in told["contacts"]} == {ROAD}
    (order,) = told["orders"]
    assert (order["name"], order["email"], order["line1"]) == (NAME, EMAIL, ROAD)
    assert [line["quantity"] for line in order["lines"]] == [2]
    (payment,) = order["payments"]
    assert [charge["refunds"][0]["amount"] for charge in payment["charges"]] == [5]
    assert [event["what"] for event in order["events"]] == ["packed"]
    assert [mail["kind"] for mail in order["mails"]] == ["receipt"]
    assert {mail["kind"] for mail in told["mails"]} == {"sign_in_code", "receipt"}


def test_rows_are_read_in_portions(asha, monkeypatch) -> None:
    whole = exported(asha)
    monkeypatch.setattr(exporting, "AT_ONCE", 3)
    with CaptureQueriesContext(connection) as asked:
        assert exported(asha) == whole
    holds = 'FROM "reservations_reservation" INNER JOIN "inventory_inventory"'
    assert len(whole["reservations"]) == 4
    assert sum(holds in query["sql"] for query in asked) == 2


def test_the_export_opens_nothing_and_names_nobody_else(asha) -> None:
    ravi()
    text = json.dumps(exported(asha), ensure_ascii=False)
    codes = EmailCode.objects.all()
    secrets = [
        *AdoptedHolder.objects.values_list("holder", flat=True),
        *Session.objects.values_list("session_key", flat=True),
        *(str(code.pk) for code in codes),
        *(code.browser for code in codes),
        *(cookie.value for cookie in asha.cookies.values()),
        *User.objects.values_list("password", "username").get(email=EMAIL),
        *IdempotencyKey.objects.values_list("key", flat=True),
        last_code(),
    ]
    assert [secret for secret in secrets if f"{secret}" in text and len(secret) > 1] == []
    assert "ravi" not in text.casefold()
    assert "It came broken" not in text  # a reason of the staff


def test_the_documented_sections_are_those_of_the_export(asha) -> None:
    told = exported(asha)
    assert set(told) == set(exporting.SECTIONS)
    described = [name for name, cells in named("docs/privacy.md").items() if len(cells) == 1]
    assert described == list(told)
    account = Account.objects.get()
    for name, section in exporting.SECTIONS.items():
        assert len(told[name]) == len(list(section(account))), name


def test_an_account_without_anything_is_exported_too() -> None:
    told = exported(signed_in())
    assert told["orders"] == told["reservations"] == []


# --- and goes with the account ---------------------------------------------------------------


def test_nothing_of_the_person_is_left_but_what_is_kept_for_a_reason(asha) -> None:
    person = User.objects.get()
    key = asha.session.session_key
    browser = AdoptedHolder.objects.get().holder
    marks = (EMAIL, NAME, PHONE, ROAD, browser, f"user:{person.pk}", person.username, str(key))
    before = tables_with(*marks)
    assert {model._meta.db_table for model in (Account, Address, Contact, Order)} <= before
    assert asha.post("/account/delete/", {"word": "delete"}).status_code == 303
    # The order that was paid, the contact of its sale, mail, answers to retries.
    assert tables_with(*marks) == {
        "checkout_order",
        "checkout_contact",
        "outbox_message",
        "reservations_idempotencykey",
    }
    assert Order.objects.get().account is None
    assert Contact.objects.get().reservation.status == "confirmed"
    for table in EXPORTED - {Order, OrderLine, OrderEvent, Payment, Charge, Refund, Reservation}:
        if table not in (Contact, Message):
            assert not table._default_manager.exists(), table
