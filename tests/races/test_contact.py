"""A draft of the contact against the confirmation: the confirming form's contact stays."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from checkout import contacts
from checkout.contacts import Typed
from checkout.models import Contact, Order
from reservations.engine.combining import Later
from reservations.engine.commands import Confirm
from reservations.engine.locks import Patience
from reservations.engine.transactions import _transact, perform_bag
from reservations.models import Reservation
from tests.checkout.test_on_delivery import command
from tests.reservations.test_verbs import hold
from tests.running import PATIENCE, wait_for
from tests.server import somebody_waits
from tests.shopping import BUYER, holding, key
from tests.stock import all_at_once, stocked

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.race,
    pytest.mark.usefixtures("unhurried"),
]

GUARD = "pgtrigger_sold_contact_is_final_2cb68"


def write_as_if_pending(draft: Typed) -> None:
    """Without the guard: reads the reservation first, then writes whatever happened since."""
    late = Contact(reservation_id=draft.reservation_id, name=draft.name, email=draft.email)
    Contact.objects.bulk_create(
        [late],
        update_conflicts=True,
        unique_fields=["reservation"],
        update_fields=["name", "email"],
    )


def race(reservation: Reservation, write: Callable[[Typed], None]) -> Sequence[object]:
    """The draft is sent while the order is placed but not committed."""
    sold = contacts.also(Typed(reservation.pk, "Asha Rao", "asha@example.org"))
    order = replace(command(reservation), also=(sold,))
    draft = Typed(reservation.pk, "As", "")
    confirmed, waited = Event(), Event()

    def one(caller: int) -> None:
        if caller:
            confirmed.wait(PATIENCE)
            write(draft)
            return
        with transaction.atomic():
            perform_bag(order)
            confirmed.set()
            wait_for(somebody_waits)
            waited.set()

    outcomes = all_at_once(2, one)
    assert waited.is_set(), "the two did not meet"
    return outcomes


def test_a_draft_that_comes_while_it_is_confirmed_changes_nothing() -> None:
    reservation = hold(stocked(5))
    contacts.keep(Typed(reservation.pk, "A", ""))
    assert race(reservation, contacts.keep) == [None, None]
    assert Contact.objects.get().email == "asha@example.org"


def test_whoever_writes_without_looking_is_refused_by_the_database() -> None:
    _, refused = race(hold(stocked(5)), write_as_if_pending)
    assert isinstance(refused, IntegrityError)
    assert refused.__cause__.diag.constraint_name == "sold_contact_is_final"  # type: ignore[union-attr]
    assert Contact.objects.get().email == "asha@example.org"


def test_without_the_guard_it_is_overwritten() -> None:
    """The negative control: the draft and the confirmation really collide."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE checkout_contact DISABLE TRIGGER {GUARD}")
    try:
        assert race(hold(stocked(5)), write_as_if_pending) == [None, None]
        assert Contact.objects.get().email == ""
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE checkout_contact ENABLE TRIGGER {GUARD}")


def test_drafts_over_http_never_reach_what_was_ordered(settings) -> None:
    settings.RESERVATION_MAX_LIVE = settings.RESERVATION_MAX_UNITS_PER_ADDRESS = 0
    rows = [stocked(1, product=f"p-{n}") for n in range(30)]
    client = Client()
    ids = [holding(client, row).pk for row in rows]

    def shop(caller: int) -> set[int]:
        mine = Client()
        mine.cookies = client.cookies
        if caller:
            return {post(mine, pk, "confirm", **BUYER, idempotency_key=key()) for pk in ids}
        return {post(mine, pk, "contact", name="As", email="") for pk in [*ids, *ids]}

    assert all_at_once(2, shop) == [{204}, {303}]
    assert set(Order.objects.values_list("name", "email")) == {("Asha Rao", "asha@example.org")}
    assert Order.objects.count() == 30


def post(client: Client, pk: UUID, what: str, **form: str) -> int:
    return int(client.post(f"/checkout/{pk}/{what}/", form).status_code)


def test_a_reservation_that_a_draft_has_locked_is_waited_for_not_taken_for_lost() -> None:
    row = stocked(5)
    reservation = hold(row)
    with transaction.atomic():
        list(Reservation.objects.select_for_update())
        confirm = Confirm(rows=(row.pk,), reservation_ids=(reservation.pk,))
        (outcomes,) = all_at_once(1, lambda _: _transact([confirm], Patience.NONE))
    assert outcomes == [Later(row.pk)]
