"""change: another quantity of the same hold, in the same time, within the same limits."""

from dataclasses import replace
from uuid import uuid4

import pytest

from allo.live.message import Message
from catalog.models import Product
from inventory.models import StockMovement
from reservations import services
from reservations.clock.audit import audit_stock
from reservations.engine.commands import Change, Expire, Holder, Reserve
from reservations.engine.locks import Patience
from reservations.engine.transactions import _transact, perform
from reservations.exceptions import (
    AlreadyHeld,
    InsufficientStock,
    LimitReached,
    NotInShop,
    NotPending,
    PriceChanged,
    QuantityChanged,
    ReservationError,
    ReservationExpired,
)
from reservations.models import Reservation
from reservations.refusals import limit_in_words
from reservations.waiting.services import serve
from tests.reservations.test_idempotency import once
from tests.reservations.test_verbs import hold
from tests.stock import all_at_once, pass_time, reprice, stocked, units
from tests.waiting import joined, offer_of

pytestmark = pytest.mark.django_db(transaction=True)

NETWORK = "192.0.2.7/32"


def change(held: Reservation, quantity: int, **more) -> Reservation:
    changed = services.change(reservation_id=held.pk, quantity=quantity, **more)
    assert isinstance(changed, Reservation)
    held.refresh_from_db()
    assert held.quantity == quantity
    return changed


@pytest.mark.parametrize("quantity", [1, 2, 5])
def test_the_hold_gets_the_requested_quantity_and_keeps_its_time(quantity) -> None:
    row = stocked(5)
    held = hold(row, 2)
    until = held.expires_at
    changed = change(held, quantity)
    assert (changed.pk, held.expires_at, held.renewals) == (held.pk, until, 0)
    assert units(row) == (5, quantity)
    services.confirm(reservation_id=held.pk)
    assert units(row) == (5 - quantity, 0)
    assert StockMovement.objects.get(reason="sold").delta == -quantity
    assert audit_stock() == []


def test_more_than_there_is_is_refused_with_what_is_free_and_what_is_held() -> None:
    row = stocked(5)
    held = hold(row, 2)
    hold(row, 2, "session:b")
    with pytest.raises(InsufficientStock) as refused:
        change(held, 4)
    assert (refused.value.available, refused.value.held) == (1, 2)
    assert str(refused.value) == "Only 1 more left."
    assert units(row) == (5, 4)


def test_what_dead_holds_keep_is_freed_first() -> None:
    row = stocked(5)
    hold(row, 3, "session:b")
    pass_time(601)
    change(hold(row, 2), 5)
    assert units(row) == (5, 5)


def test_the_limits_of_reserving_hold_upwards_and_never_downwards(settings) -> None:
    row = stocked(50)
    held = hold(row, 8, network=NETWORK)
    with pytest.raises(LimitReached, match="RESERVATION_MAX_UNITS allows 10"):
        change(held, 11)
    settings.RESERVATION_MAX_UNITS = settings.RESERVATION_MAX_UNITS_PER_ADDRESS = 5
    change(held, 7)
    settings.RESERVATION_MAX_UNITS = 0
    with pytest.raises(LimitReached, match="RESERVATION_MAX_UNITS_PER_ADDRESS allows 5"):
        change(held, 8)


def test_units_at_the_address_count_with_what_was_changed(settings) -> None:
    settings.RESERVATION_MAX_UNITS_PER_ADDRESS = 10
    row = stocked(50)
    held = hold(row, 2, network=NETWORK)
    change(held, 8)
    with pytest.raises(LimitReached, match="PER_ADDRESS"):
        hold(row, 3, "session:b", network=NETWORK)
    change(held, 7)
    other = hold(row, 3, "session:b", network=NETWORK)
    with pytest.raises(LimitReached, match="PER_ADDRESS"):
        change(other, 4)
    change(other, 4, cap=11)


def test_an_offer_of_the_waiting_list_can_be_reduced_and_never_grows() -> None:
    row = stocked(9)
    held = hold(row, 9)
    entry = joined(row, quantity=2)
    services.release(reservation_id=held.pk)
    serve(row.product_id)
    offer = offer_of(entry)
    with pytest.raises(LimitReached) as refusal:
        services.change(reservation_id=offer.pk, quantity=3)
    assert (refusal.value.limit, refusal.value.maximum) == ("offer", 2)
    assert limit_in_words(refusal.value).startswith("The waiting list held 2 for you.")
    change(offer, 1)


def test_what_is_taken_out_of_the_shop_can_only_be_reduced() -> None:
    row = stocked(9)
    held = hold(row, 2)
    Product.objects.update(published_at=None)
    for asked in (
        lambda: services.change(reservation_id=held.pk, quantity=3),
        lambda: hold(row, 1, "b"),
    ):
        with pytest.raises(NotInShop):
            asked()
    change(held, 1)
    services.confirm(reservation_id=held.pk)


def test_it_grows_only_at_the_price_it_has() -> None:
    row = stocked(9)
    held = hold(row, 3)
    reprice(row, 400_000)
    with pytest.raises(PriceChanged) as refused:
        change(held, 4)
    assert (refused.value.unit_paise, refused.value.now_paise) == (385_000, 400_000)
    change(held, 1)
    reprice(row, 385_000)
    change(held, 9)


def test_what_was_not_seen_is_not_changed_or_let_go() -> None:
    row = stocked(9)
    held = hold(row, 3)
    with pytest.raises(QuantityChanged) as refused:
        services.release(reservation_id=held.pk, seen=1)
    assert refused.value.quantity == 3
    with pytest.raises(QuantityChanged):
        change(held, 2, seen=1)
    assert change(held, 3, seen=1).quantity == 3, "it already has the requested quantity"
    change(held, 2, seen=3)
    services.release(reservation_id=held.pk, seen=2)
    assert units(row) == (9, 0)


def test_another_quantity_of_what_is_held_is_refused_and_says_what_is() -> None:
    row = stocked(9)
    held = hold(row, 1)
    with pytest.raises(AlreadyHeld) as refused:
        hold(row, 3)
    assert (refused.value.reservation_id, refused.value.quantity) == (held.pk, 1)
    assert hold(row, 1).pk == held.pk
    assert units(row) == (9, 1)


@pytest.mark.parametrize(
    ("verb", "refusal"), [(services.confirm, NotPending), (services.release, NotPending)]
)
def test_what_has_ended_is_not_changed(verb, refusal) -> None:
    row = stocked(5)
    held = hold(row, 2)
    verb(reservation_id=held.pk)
    with pytest.raises(refusal):
        change(held, 1)


def test_past_its_time_it_is_not_changed() -> None:
    row = stocked(5)
    held = hold(row, 2)
    pass_time(601)
    with pytest.raises(ReservationExpired):
        change(held, 1)
    assert units(row) == (5, 0)


@pytest.mark.parametrize("quantity", [0, -1])
def test_none_is_no_quantity(quantity) -> None:
    with pytest.raises(ValueError, match="cannot be held"):
        services.change(reservation_id=uuid4(), quantity=quantity)
    with pytest.raises(Reservation.DoesNotExist):
        services.change(reservation_id=uuid4(), quantity=1)


def test_under_one_key_it_changes_once() -> None:
    row = stocked(9)
    held = hold(row, 1)
    first = services.change.once(once(), reservation_id=held.pk, quantity=4)
    change(held, 2)
    again = services.change.once(once(), reservation_id=held.pk, quantity=4)
    assert (again.replayed, again.body) == (True, first.body)
    assert units(row) == (9, 2)


def test_pages_that_show_it_are_notified(monkeypatch) -> None:
    row = stocked(9)
    held = hold(row, 1)
    published: list[Message] = []
    monkeypatch.setattr("allo.live.events.send", published.extend)
    change(held, 4)
    kinds = sorted(message.topic.partition(":")[0] for message in published)
    assert kinds == ["holder", "product", "reservation"]


def test_several_in_one_batch_each_find_what_the_one_before_left() -> None:
    row = stocked(6)
    held = hold(row, 2)
    asked = [(4, 2), (5, 2), (6, 4), (1, 6)]
    batch = [
        Change(
            rows=(row.pk,),
            reservation_ids=(held.pk,),
            quantity=quantity,
            seen=seen,
            holder=Holder(held.holder),
        )
        for quantity, seen in asked
    ]
    late = Reserve(rows=(row.pk,), quantity=5, holder=Holder("session:b"))
    outcomes = _transact([*batch, late], Patience.NONE)
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "Reservation", "QuantityChanged", "Reservation", "Reservation", "Reservation",
    ]  # fmt: skip
    assert units(row) == (6, 6)
    assert audit_stock() == []


def test_units_at_a_network_count_within_one_batch(settings) -> None:
    settings.RESERVATION_MAX_UNITS_PER_ADDRESS = 5
    row = stocked(50)
    held = hold(row, 1, network=NETWORK)
    here = Holder("session:b", NETWORK)
    more = Change(
        rows=(row.pk,), reservation_ids=(held.pk,), quantity=3, holder=Holder(held.holder, NETWORK)
    )
    first = Reserve(rows=(row.pk,), quantity=2, holder=here)
    too_many = Reserve(rows=(row.pk,), quantity=1, holder=replace(here, name="session:c"))
    outcomes = _transact([more, first, too_many], Patience.NONE)
    assert [type(it) for it in outcomes] == [Reservation, Reservation, LimitReached]
    assert units(row) == (50, 5)


def test_a_cap_of_none_is_the_shops_and_a_cap_of_0_is_no_limit(settings) -> None:
    settings.RESERVATION_MAX_UNITS_PER_ADDRESS = 5
    row = stocked(50)
    held = hold(row, 5, network=NETWORK)
    with pytest.raises(LimitReached):
        change(held, 6)
    change(held, 6, cap=0)


ENDS = {
    "confirm": lambda held: services.confirm(reservation_id=held.pk),
    "release": lambda held: services.release(reservation_id=held.pk),
    "expire": lambda held: perform(
        Expire(rows=(held.inventory_id,), reservation_ids=(held.pk,)),
    ),
}


@pytest.mark.race
@pytest.mark.parametrize("end", ENDS)
def test_growing_and_shrinking_against_an_end(settings, end) -> None:
    settings.RESERVATION_MAX_LIVE = 0
    row = stocked(400)
    holds = [hold(row, 2, f"session:{n}") for n in range(60)]
    if end == "expire":
        pass_time(599.7, pk__in=[held.pk for held in holds[::2]])

    def one(caller: int) -> list[str]:
        return [attempt(caller, held) for held in holds]

    def attempt(caller: int, held: Reservation) -> str:
        try:
            if caller:
                services.change(reservation_id=held.pk, quantity=1 + 2 * caller)
            else:
                ENDS[end](held)
        except ReservationError as refusal:
            return refusal.code
        return ""

    outcomes = all_at_once(3, one)
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)], outcomes
    assert set().union(*outcomes) <= {"", "not_pending", "reservation_expired"}  # type: ignore[arg-type]
    sold = Reservation.objects.filter(status="confirmed").values_list("quantity", flat=True)
    assert units(row)[0] == 400 - sum(sold)
    assert len(sold) == (60 if end == "confirm" else 0)
    assert audit_stock() == []


@pytest.mark.race
def test_many_who_want_the_last_units_more_get_what_there_is() -> None:
    row = stocked(12)
    holds = [hold(row, 1, f"session:{n}") for n in range(8)]

    def grow(caller: int) -> bool:
        try:
            services.change(reservation_id=holds[caller].pk, quantity=2)
        except InsufficientStock:
            return False
        return True

    assert sorted(all_at_once(8, grow), key=str) == [False] * 4 + [True] * 4
    assert units(row) == (12, 12)
    assert audit_stock() == []
