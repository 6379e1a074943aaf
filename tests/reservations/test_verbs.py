"""reserve, confirm, release, renew: one caller at a time, on real PostgreSQL."""

import uuid
from unittest.mock import Mock

import pytest
from django.db import transaction

from allo.live.events import Event
from inventory.events import StockChanged
from inventory.models import Inventory, StockMovement, Warehouse
from reservations import services
from reservations.clock.audit import audit_stock
from reservations.engine import transactions
from reservations.engine.commands import Confirm, Expire, Holder, Release, Renew, Reserve
from reservations.engine.locks import Patience
from reservations.engine.transactions import perform
from reservations.exceptions import InsufficientStock, LimitReached, NotPending, ReservationExpired
from reservations.models import Reservation
from tests.stock import all_at_once, pass_time, stocked, units

pytestmark = pytest.mark.django_db(transaction=True)


def hold(
    row: Inventory, quantity: int = 1, holder: str = "session:a", network: str = ""
) -> Reservation:
    reservation = services.reserve(
        product_id=row.product_id,
        warehouse_id=row.warehouse_id,
        quantity=quantity,
        holder=Holder(holder, network),
    )
    return Reservation.objects.get(pk=reservation.pk)


def test_reserving_holds_the_units_for_the_ttl(settings) -> None:
    settings.RESERVATION_TTL_SECONDS = 90
    row = stocked(5)
    reservation = hold(row, 3)
    assert reservation.status == "pending"
    assert reservation.quantity == 3
    assert (reservation.expires_at - reservation.created_at).total_seconds() == 90
    assert reservation.pk.version == 4
    assert units(row) == (5, 3)


def test_what_is_not_there_is_refused_with_what_is_left() -> None:
    row = stocked(2)
    hold(row, 1)
    with pytest.raises(InsufficientStock) as refused:
        hold(row, 2, "session:b")
    assert refused.value.available == 1
    assert units(row) == (2, 1)


def test_without_a_warehouse_the_one_with_the_most_available_serves() -> None:
    few, many = stocked(2, warehouse="blr-01"), stocked(5, warehouse="del-01")
    hold(many, 4)
    reservation = services.reserve(
        product_id=few.product_id, quantity=2, holder=Holder("session:b")
    )
    assert isinstance(reservation, Reservation)
    assert reservation.inventory_id == few.pk
    with pytest.raises(InsufficientStock) as refused:
        services.reserve(product_id=few.product_id, quantity=3, holder=Holder("session:c"))
    assert refused.value.available == 1


def test_of_equal_warehouses_the_first_in_the_shops_order_serves() -> None:
    last, first = stocked(5, warehouse="blr-01"), stocked(5, warehouse="del-01")
    Warehouse.objects.filter(pk=last.warehouse_id).update(position=9)
    reservation = services.reserve(product_id=last.product_id, quantity=2, holder=Holder("user:1"))
    assert reservation.inventory_id == first.pk


def test_a_product_no_warehouse_knows_is_not_an_empty_shelf() -> None:
    with pytest.raises(Inventory.DoesNotExist):
        services.reserve(product_id=1, quantity=1, holder=Holder("session:a"))


def test_asking_again_for_the_same_units_is_answered_with_the_hold_there_is() -> None:
    row = stocked(5)
    assert hold(row, 2) == hold(row, 2)
    assert units(row) == (5, 2)


def test_a_dead_hold_of_ones_own_is_replaced() -> None:
    row = stocked(5)
    dead = hold(row, 2)
    pass_time(601)
    assert hold(row, 3) != dead
    dead.refresh_from_db()
    assert dead.status == "expired"
    assert units(row) == (5, 3)


def test_nobody_is_refused_because_of_dead_holds() -> None:
    row = stocked(3)
    for n in range(3):
        hold(row, 1, f"session:{n}")
    pass_time(601, holder__in=["session:0", "session:1"])
    hold(row, 2, "session:new")
    with pytest.raises(InsufficientStock):
        hold(row, 1, "session:newer")
    assert units(row) == (3, 3)
    assert Reservation.objects.filter(status="expired").count() == 2


def test_more_dead_holds_than_one_round_frees_are_freed_in_rounds(monkeypatch) -> None:
    monkeypatch.setattr("reservations.engine.storage.EXPIRE_AT_ONCE", 2)
    row = stocked(7)
    for n in range(7):
        hold(row, 1, f"session:{n}")
    pass_time(601)
    hold(row, 5, "session:new")
    assert Reservation.objects.filter(status="expired").count() == 6
    left = Reservation.objects.pending().exclude(holder="session:new").get()
    assert left.holder == "session:6", "the oldest are freed first"
    assert units(row) == (7, 6)


def test_confirming_sells_once_and_for_good() -> None:
    row = stocked(5)
    reservation = hold(row, 2)
    services.confirm(reservation_id=reservation.pk)
    assert units(row) == (3, 0)
    sold = StockMovement.objects.get(reason="sold")
    assert (sold.delta, sold.reference, sold.inventory_id) == (-2, reservation.pk, row.pk)
    reservation.refresh_from_db()
    assert reservation.status == "confirmed"
    assert reservation.ended_at is not None
    for verb in (services.confirm, services.release, services.renew):
        with pytest.raises(NotPending) as refused:
            verb(reservation_id=reservation.pk)
        assert refused.value.status == "confirmed"
    assert units(row) == (3, 0)


def test_releasing_frees_once_and_twice_is_fine() -> None:
    row = stocked(5)
    reservation = hold(row, 2)
    for _ in range(2):
        released = services.release(reservation_id=reservation.pk)
        assert isinstance(released, Reservation)
        assert released.status == "released"
        assert units(row) == (5, 0)
    with pytest.raises(NotPending):
        services.confirm(reservation_id=reservation.pk)


@pytest.mark.parametrize("verb", [services.confirm, services.release, services.renew])
def test_past_its_time_every_verb_refuses_and_expires(verb) -> None:
    row = stocked(5)
    reservation = hold(row, 2)
    pass_time(600)
    with pytest.raises(ReservationExpired):
        verb(reservation_id=reservation.pk)
    reservation.refresh_from_db()
    assert reservation.status == "expired"
    assert units(row) == (5, 0)
    with pytest.raises(ReservationExpired):
        verb(reservation_id=reservation.pk)


def test_reading_expires_what_is_past_its_time() -> None:
    row = stocked(5)
    reservation = hold(row, 2)
    assert services.get(reservation_id=reservation.pk).status == "pending"
    pass_time(600)
    assert services.get(reservation_id=reservation.pk).status == "expired"
    assert units(row) == (5, 0)


def test_a_busy_row_does_not_make_a_dead_hold_look_alive(settings) -> None:
    row = stocked(5)
    reservation = hold(row, 2)
    pass_time(600)
    with transaction.atomic():
        Inventory.objects.select_for_update().get(pk=row.pk)
        (read,) = all_at_once(1, lambda _: services.get(reservation_id=reservation.pk))
    assert isinstance(read, Reservation)
    assert read.status == "expired"


def test_renewing_gives_a_fresh_time_twice() -> None:
    row = stocked(5)
    reservation = hold(row)
    for renewals in (1, 2):
        pass_time(500)
        renewed = services.renew(reservation_id=reservation.pk)
        assert isinstance(renewed, Reservation)
        assert renewed.renewals == renewals
        reservation.refresh_from_db()
        assert (reservation.expires_at - reservation.created_at).total_seconds() > 500
    with pytest.raises(LimitReached) as refused:
        services.renew(reservation_id=reservation.pk)
    assert (refused.value.limit, refused.value.maximum) == ("RESERVATION_MAX_RENEWALS", 2)


def test_limits_refuse_and_zero_switches_them_off(settings) -> None:
    settings.RESERVATION_MAX_UNITS = 3
    settings.RESERVATION_MAX_LIVE = 2
    rows = [stocked(50, warehouse=f"w-{n}") for n in range(4)]
    with pytest.raises(LimitReached, match="RESERVATION_MAX_UNITS"):
        hold(rows[0], 4)
    hold(rows[0])
    hold(rows[1])
    with pytest.raises(LimitReached, match="RESERVATION_MAX_LIVE"):
        hold(rows[2])
    pass_time(601, inventory=rows[0])
    hold(rows[2])
    settings.RESERVATION_MAX_UNITS = settings.RESERVATION_MAX_LIVE = 0
    hold(rows[3], 40)


def test_an_address_holds_no_more_than_its_share(settings) -> None:
    settings.RESERVATION_MAX_UNITS_PER_ADDRESS = 5
    row = stocked(50)
    first = hold(row, 3, "session:a", network="10.0.0.1/32")
    with pytest.raises(LimitReached, match="PER_ADDRESS"):
        hold(row, 3, "session:b", network="10.0.0.1/32")
    hold(row, 3, "session:b", network="10.0.0.2/32")
    hold(row, 5, "user:1")
    services.release(reservation_id=first.pk)
    hold(row, 5, "session:c", network="10.0.0.1/32")


def test_an_unknown_reservation_does_not_exist() -> None:
    for verb in (services.confirm, services.release, services.renew, services.get):
        with pytest.raises(Reservation.DoesNotExist):
            verb(reservation_id=uuid.uuid4())


@pytest.mark.parametrize("command", [Confirm, Release, Renew, Expire])
def test_a_reservation_that_is_gone_once_its_row_is_locked_does_not_exist(command) -> None:
    row = stocked(5)
    with pytest.raises(Reservation.DoesNotExist):
        perform(command(rows=(row.pk,), reservation_ids=(uuid.uuid4(),)))


def test_an_inventory_row_that_is_gone_when_it_is_locked_does_not_exist() -> None:
    # Within a transaction: in the combiner's lanes the row would be waited for without end.
    with transaction.atomic(), pytest.raises(Inventory.DoesNotExist):
        services.reserve_in(rows=(404,), quantity=1, holder=Holder("session:a"))


def test_inside_a_callers_transaction_the_hold_goes_with_it() -> None:
    row = stocked(5)
    with transaction.atomic():
        hold(row, 2)
        transaction.set_rollback(True)
    assert units(row) == (5, 0)
    assert not Reservation.objects.exists()


def test_events_of_stock_carry_what_the_database_has(monkeypatch) -> None:
    published: list[Event] = []
    monkeypatch.setattr("inventory.events.publish_events", published.extend)
    row = stocked(9)
    reservation = hold(row, 2)
    services.confirm(reservation_id=reservation.pk)
    stocks = [event for event in published if isinstance(event, StockChanged)]
    assert [(it.row, it.product) for it in stocks] == [(row.pk, row.product_id)] * 2
    assert [(it.total, it.reserved) for it in stocks] == [(9, 2), (7, 0)]


def test_the_books_balance_after_every_verb() -> None:
    row = stocked(9)
    services.confirm(reservation_id=hold(row, 2, "session:a").pk)
    services.release(reservation_id=hold(row, 2, "session:b").pk)
    services.renew(reservation_id=hold(row, 2, "session:c").pk)
    assert audit_stock() == []


def test_what_one_of_a_batch_gives_back_its_network_may_hold_again_in_the_same(settings) -> None:
    settings.RESERVATION_MAX_UNITS_PER_ADDRESS = 2
    row = stocked(5)
    held = hold(row, 2, "session:a", "192.0.2.7/32")
    release = Release(rows=(row.pk,), reservation_ids=(held.pk,))
    holder = Holder("session:b", "192.0.2.7/32")
    reserve = Reserve(rows=(row.pk,), quantity=2, holder=holder)
    early, released, late = transactions._transact([reserve, release, reserve], Patience.FULL)
    assert isinstance(early, LimitReached)
    assert isinstance(released, Reservation)
    assert isinstance(late, Reservation)
    assert units(row) == (5, 2)


def test_callers_share_transactions_but_for_those_inside_one_of_their_own(monkeypatch) -> None:
    row = stocked(5)
    combiner, shared = transactions._combiner, []
    submit = combiner.submit

    def noted(command):
        shared.append(command)
        return submit(command)

    monkeypatch.setattr(combiner, "submit", noted)
    hold(row, 1, "session:a")
    with transaction.atomic():
        hold(row, 1, "session:b")
    assert [command.holder.name for command in shared] == ["session:a"]
    assert units(row) == (5, 2)


@pytest.mark.parametrize("what", ["events", "refused", "measured"])
def test_what_fails_after_the_commit_undoes_nothing(monkeypatch, caplog, what) -> None:
    broken = Mock(side_effect=RuntimeError("after the commit"))
    monkeypatch.setattr(getattr(transactions, what), "publish", broken)
    assert hold(stocked(1)).is_pending
    assert "after the commit" in caplog.text


def test_what_a_lone_command_broke_is_not_tried_again(monkeypatch) -> None:
    broken = Mock(side_effect=ValueError("a bug"))
    monkeypatch.setattr(transactions, "_transact", broken)
    with pytest.raises(ValueError, match="a bug"):
        hold(stocked(1))
    assert broken.call_count == 1
