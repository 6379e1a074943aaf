"""What the database itself refuses, whatever the application tries."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone

from checkout import contacts
from checkout.contacts import Typed
from checkout.models import Contact
from inventory.models import Inventory, StockImport, StockMovement
from reservations import services
from reservations.api import tokens
from reservations.models import ApiToken, IdempotencyKey, Reservation
from tests.reservations.test_verbs import hold
from tests.stock import stocked

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def refused_by(constraint: str) -> Iterator[None]:
    with pytest.raises(IntegrityError) as refused:
        yield
    assert refused.value.__cause__.diag.constraint_name == constraint  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"reserved_units": 6}, "reserved_lte_total"),
        ({"reserved_units": -1}, "reserved_gte_zero"),
        ({"total_units": -1}, "reserved_lte_total"),
    ],
)
def test_an_inventory_row_promises_only_what_it_has(change, constraint) -> None:
    stocked(5)
    with pytest.raises(IntegrityError, match=constraint):
        Inventory.objects.update(**change)


def test_a_product_has_one_row_per_warehouse() -> None:
    row = stocked(5)
    with pytest.raises(IntegrityError, match="one_row_per_product_and_warehouse"):
        Inventory.objects.create(product=row.product, warehouse=row.warehouse)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"quantity": 0}, "quantity_gt_zero"),
        ({"status": "lost", "ended_at": timezone.now()}, "reservation_status_known"),
        ({"status": "expired"}, "ended_when_final"),
        ({"ended_at": timezone.now()}, "ended_when_final"),
        ({"expires_at": F("created_at")}, "expires_after_creation"),
        ({"status": "confirmed", "ended_at": F("expires_at")}, "confirmed_in_time"),
    ],
)
def test_a_reservation_is_always_coherent(change, constraint) -> None:
    hold(stocked(5))
    with pytest.raises(IntegrityError, match=constraint):
        Reservation.objects.update(**change)


@pytest.mark.parametrize("verb", [services.confirm, services.release])
def test_a_final_state_is_final(verb) -> None:
    reservation = hold(stocked(5))
    verb(reservation_id=reservation.pk)
    for change in ({"status": "pending", "ended_at": None}, {"quantity": 9}, {"holder": "user:1"}):
        with refused_by("final_is_final"):
            Reservation.objects.update(**change)


@pytest.mark.parametrize(
    ("holder", "left"),
    [("visitor:5", "nobody"), ("user:7", "nobody"), ("token:5:ravi", "token:5:nobody")],
)
def test_whose_a_final_reservation_was_can_only_be_forgotten(holder, left) -> None:
    held = hold(stocked(5), holder=holder, network="192.0.2.1/32")
    services.release(reservation_id=held.pk)
    change = Reservation.objects.filter(pk=held.pk).update
    for refused in (
        {"holder": "user:1"}, {"holder": ""}, {"holder": f"{left} "}, {"address": "192.0.2.2/32"},
        {"holder": left, "quantity": 9}, {"address": "", "withdrawn": "other"},
        {"around": "192.0.3"},
    ):  # fmt: skip
        with refused_by("final_is_final"):
            change(**refused)
    change(holder=left, address="", around="")
    with refused_by("final_is_final"):
        change(holder=holder)
    with refused_by("final_is_final"):
        change(address="192.0.2.1/32")


def test_a_live_reservation_is_not_forgotten_with_what_ended() -> None:
    """Nor is its draft; a sale keeps its contact for a year, whoever asks."""
    held = hold(stocked(5))
    contacts.keep(Typed(held.pk, "Asha", ""))
    with refused_by("draft_of_a_live_hold_is_kept"):
        Contact.objects.all().delete()
    services.release(reservation_id=held.pk)
    Contact.objects.all().delete()


def test_history_is_kept() -> None:
    hold(stocked(5))
    with refused_by("history_is_kept"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM reservations_reservation")


@pytest.mark.parametrize("before", [True, False])
def test_the_contact_of_a_sale_is_final(before) -> None:
    reservation = hold(stocked(5))
    if before:
        Contact.objects.create(reservation=reservation, name="Asha", email="asha@example.org")
    services.confirm(reservation_id=reservation.pk)
    with refused_by("sold_contact_is_final"):
        contacts = Contact.objects
        contacts.update(email="") if before else contacts.create(reservation=reservation)
    if before:
        with refused_by("sold_contact_is_final"):
            Contact.objects.all().delete()


def test_a_draft_may_change_as_long_as_nothing_is_sold() -> None:
    reservation = hold(stocked(5))
    for verb in (services.renew, services.release):
        verb(reservation_id=reservation.pk)
        contacts.keep(Typed(reservation.pk, verb.name, ""))
        assert Contact.objects.get().name == verb.name


def test_a_revoked_token_stays_revoked() -> None:
    token, secret = tokens.create(name="Shop", scopes=["read"])
    tokens.revoke(token)
    for change in ({"revoked_at": None}, {"last_used_at": timezone.now()}):
        with refused_by("revoked_is_revoked"):
            ApiToken.objects.update(**change)
    # A call that read the token before its revocation writes its last use afterwards.
    tokens._used(token)
    assert tokens.merchant_of(secret) is None


@pytest.mark.parametrize("change", [{"state": "checked"}, {"done": 0}, {"actor": None}])
def test_an_applied_import_is_final(change) -> None:
    applied = _import(state="applied", applied_at=timezone.now())
    with refused_by("applied_is_applied"):
        StockImport.objects.update(**change)
    with refused_by("applied_is_applied"):
        applied.delete()


def _import(**more: object) -> StockImport:
    staff = User.objects.create_user("asha")
    return StockImport.objects.create(
        file_name="count.csv", row_count=1, error_count=0, actor=staff, **more
    )


@pytest.mark.parametrize(
    "statement",
    ["UPDATE inventory_stockmovement SET delta = 9", "DELETE FROM inventory_stockmovement"],
)
def test_the_ledger_is_append_only(statement) -> None:
    stocked(5)
    with refused_by("ledger_is_append_only"), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    ("line", "constraint"),
    [
        ({"delta": 0, "reason": "adjusted"}, "movement_moves"),
        ({"delta": 1, "reason": "found"}, "movement_reason_known"),
        ({"delta": -1, "reason": "sold"}, "sold_takes_stock_for_a_reservation"),
    ],
)
def test_a_movement_has_a_reason(line, constraint) -> None:
    row = stocked(5)
    with pytest.raises(IntegrityError, match=constraint):
        StockMovement.objects.create(inventory=row, **line)


def test_a_reservation_is_sold_once() -> None:
    row = stocked(5)
    reservation = hold(row)
    services.confirm(reservation_id=reservation.pk)
    with pytest.raises(IntegrityError, match="sold_once"):
        StockMovement.objects.create(
            inventory=row, delta=-1, reason="sold", reference=reservation.pk
        )


def test_a_holder_has_one_live_hold_of_a_row() -> None:
    row = stocked(5)
    first = hold(row)
    with pytest.raises(IntegrityError, match="one_live_hold_per_holder_and_row"):
        Reservation.objects.create(
            inventory=row,
            quantity=1,
            unit_paise=first.unit_paise,
            name=first.name,
            holder=first.holder,
            created_at=first.created_at,
            expires_at=first.expires_at,
        )


def test_a_key_has_one_reply() -> None:
    with transaction.atomic():
        line = {"client": "c", "endpoint": "e", "key": "k", "request_hash": b"", "status": 201}
        IdempotencyKey.objects.create(**line, created_at=timezone.now())
    with pytest.raises(IntegrityError, match="one_answer_per_client_endpoint_and_key"):
        IdempotencyKey.objects.create(**line, created_at=timezone.now())
