"""Staff change stock while shoppers buy it: what holds, and what breaks when the lock is gone."""

from collections import Counter
from collections.abc import Sequence
from itertools import count
from threading import Barrier, Event, Thread

import pytest
from django.db import connection, connections, transaction
from django.db.models import F

from inventory import locks, services
from inventory.adjustments import Adjustment
from inventory.exceptions import Busy, StockError
from inventory.models import Inventory, StockMovement
from inventory.services import Move
from reservations import services as shop
from reservations.clock.audit import audit_stock
from reservations.engine.commands import Holder
from reservations.exceptions import ReservationError
from reservations.models import Reservation
from tests import stock_room
from tests.running import PATIENCE
from tests.stock import all_at_once, stocked, without_the_lock

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.race,
    pytest.mark.usefixtures("unhurried"),
]

Reason = StockMovement.Reason
SHOPPERS = 50
numbers = count()


def shopping(row: Inventory) -> str:
    """One shopper, who takes what there is and pays for every second hold."""
    number = next(numbers)
    try:
        held = shop.reserve(
            product_id=row.product_id, quantity=1, holder=Holder(f"session:{number}")
        )
        assert isinstance(held, Reservation)
        (shop.confirm if number % 2 else shop.release)(reservation_id=held.pk)
        return "served"
    except ReservationError as refusal:
        return refusal.code


def stock_taking(number: int, rows: list[Inventory]) -> str:
    """One member of staff, who does one thing after the other to two rows."""
    here, there = rows if number % 2 else reversed(rows)
    acts = [
        lambda: stock_room.receive(inventory_id=here.pk, units=3),
        lambda: stock_room.write_off(inventory_id=here.pk, units=2, note="x"),
        lambda: services.transfer(moves=[Move(here.pk, there.warehouse_id, 2)]),
        lambda: stock_room.adjust(inventory_id=there.pk, delta=-1, reason=Reason.LOST, note="x"),
        lambda: services.apply(
            adjustments=[
                Adjustment(there.pk, 2, Reason.COUNTED),
                Adjustment(here.pk, -2, Reason.DAMAGED),
            ]
        ),
    ]
    done = 0
    for act in acts * 3:
        try:
            act()
            done += 1
        except StockError as refusal:
            assert not isinstance(refusal, Busy), "everybody had their turn in time"
    return f"staff did {min(done, 1)}"


def test_staff_and_fifty_shoppers_on_the_same_shelves() -> None:
    rows = [stocked(20), stocked(20, warehouse="del-01")]
    outcomes = all_at_once(
        SHOPPERS + 6,
        lambda n: stock_taking(n, rows) if n < 6 else shopping(rows[0]),
    )
    counted = Counter(str(what) for what in outcomes)
    assert counted.pop("staff did 1") == 6
    assert set(counted) <= {"served", "insufficient_stock"}, counted
    assert counted["served"] > 0
    assert audit_stock() == []
    assert StockMovement.objects.filter(reason="transferred").count() % 2 == 0


def test_a_file_and_fifty_shoppers() -> None:
    rows = [stocked(9, product=f"vase-{n}") for n in range(20)]
    changes = [Adjustment(row.pk, -1, Reason.COUNTED) for row in reversed(rows)]

    def call(number: int) -> str:
        if number < 4:
            services.apply(adjustments=changes)
            return "applied"
        return shopping(rows[number % 20])

    outcomes = Counter(str(what) for what in all_at_once(SHOPPERS + 4, call))
    assert outcomes["applied"] == 4
    assert audit_stock() == []


def write_together(monkeypatch: pytest.MonkeyPatch, callers: int) -> None:
    """Each has read before any has written."""
    together, look = Barrier(callers), services._errors

    def errors(rows: dict[int, Inventory], adjustments: Sequence[Adjustment]) -> object:
        found = look(rows, adjustments)
        together.wait(PATIENCE)
        return found

    monkeypatch.setattr(services, "_errors", errors)


def write_off_at_once(callers: int = 12) -> Counter[str]:
    """Each would write off the whole shelf."""
    row = stocked(1, product=f"p-{next(numbers)}")
    outcomes = all_at_once(
        callers, lambda _: stock_room.write_off(inventory_id=row.pk, units=1, note="x")
    )
    return Counter(type(outcome).__name__ for outcome in outcomes)


def test_of_twelve_who_write_off_the_last_unit_one_does() -> None:
    for _ in range(5):
        assert write_off_at_once() == {"StockMovement": 1, "BelowZero": 11}
    assert audit_stock() == []


def test_without_the_lock_the_check_is_of_no_use_and_the_database_refuses(monkeypatch) -> None:
    """The control of the tests above: they are able to fail."""
    without_the_lock(monkeypatch)
    write_together(monkeypatch, 12)
    assert write_off_at_once() == {"StockMovement": 1, "IntegrityError": 11}
    assert audit_stock() == []


def test_without_lock_and_constraint_more_is_written_off_than_there_is(monkeypatch) -> None:
    without_the_lock(monkeypatch)
    write_together(monkeypatch, 12)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE inventory_inventory DROP CONSTRAINT reserved_lte_total")
    try:
        assert write_off_at_once() == {"StockMovement": 12}
        assert any(finding.invariant == "I1" for finding in audit_stock())
    finally:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE inventory_inventory SET total_units = 0 WHERE total_units < 0")
            cursor.execute(
                "ALTER TABLE inventory_inventory ADD CONSTRAINT reserved_lte_total "
                "CHECK (reserved_units <= total_units)"
            )


def test_a_change_that_would_be_lost_without_the_lock_is_not(monkeypatch) -> None:
    """All read before any writes: under the lock each sees the change before it."""
    row = stocked(10)
    seen = [Adjustment(row.pk, delta, Reason.COUNTED, seen=10) for delta in (1, 2, 3, 4, 5, 6)]
    outcomes = all_at_once(6, lambda n: services.apply(adjustments=[seen[n]]))
    assert sum(isinstance(outcome, list) for outcome in outcomes) == 1, "the others are refused"


def test_transfers_both_ways_at_once_do_not_deadlock() -> None:
    here, there = stocked(50), stocked(50, warehouse="del-01")

    def move(number: int) -> list[int]:
        one, other = (here, there) if number % 2 else (there, here)
        return services.transfer(moves=[Move(one.pk, other.warehouse_id, 1)])

    assert all(isinstance(outcome, list) for outcome in all_at_once(30, move))
    assert audit_stock() == []


def test_a_locked_row_is_busy_and_nothing_is_lost(admin_client) -> None:
    row = stocked(5)
    page = f"/admin/inventory/inventory/receive/?id={row.pk}"
    reference = admin_client.get(page).context["form"]["reference"].value()
    form = {"units": 2, "note": "Delivery 12", "reference": reference}
    seen = admin_client.post(page, {**form, "step": "check"}).context["seen"]
    sitting, over = Event(), Event()

    def sit() -> None:
        with transaction.atomic():
            list(locks.locking([row.pk]))
            sitting.set()
            over.wait(PATIENCE)
        connections.close_all()

    sitter = Thread(target=sit)
    sitter.start()
    try:
        sitting.wait(PATIENCE)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '300ms'")
        refused = admin_client.post(page, {**form, "seen": seen, "step": "apply"})
    finally:
        over.set()
        sitter.join()
    assert "Others are changing this stock, or the database is busy." in (refused.content.decode())
    assert 'value="Delivery 12"' in refused.content.decode()
    assert Inventory.objects.filter(total_units=F("reserved_units") + 5).exists()
    again = {**form, "seen": refused.context["seen"], "step": "apply"}
    assert admin_client.post(page, again).status_code == 303
    assert Inventory.objects.get().total_units == 7
