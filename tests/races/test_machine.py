"""All verbs, staff corrections and time, in any order, compared with a simple model of the shop."""

import os
from uuid import UUID

import hypothesis.strategies as st
import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from catalog.models import Product
from inventory.exceptions import BelowReserved, BelowZero
from inventory.models import Inventory, StockMovement
from reservations import services
from reservations.clock.audit import audit_stock
from reservations.engine.commands import Holder
from reservations.exceptions import ReservationError
from reservations.models import Reservation
from reservations.waiting import services as waiting
from tests import stock_room
from tests.races.list_rules import ListRules
from tests.races.model import Hold, Shop
from tests.stock import pass_time, stocked

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

TOTALS = "SELECT id, total_units, list_needs FROM inventory_inventory WHERE id = ANY(%s)"
STATES = """
    SELECT id, status, quantity, holder FROM reservations_reservation WHERE inventory_id = ANY(%s)
"""
TTL, HOLDERS, PEOPLE = 600, ("visitor:a", "visitor:b", "user:1"), ("a", "b", "c", "d")


class Machine(ListRules):
    reservations = Bundle("reservations")

    def __init__(self) -> None:
        super().__init__()
        self.unclaimed = []
        self.staff, _ = User.objects.get_or_create(username="mira")
        start = Inventory.objects.count()
        self.rows = [
            stocked(units, product=f"p-{start + n // 2}", warehouse=f"w-{n % 2}")
            for n, units in enumerate((4, 0, 1, 0))
        ]
        self.shop = Shop(
            {row.pk: row.total_units for row in self.rows},
            {row.product_id: row.product.price_paise for row in self.rows},
            {row.pk: row.product_id for row in self.rows},
        )

    @rule(
        target=reservations,
        row=st.integers(0, 3),
        anywhere=st.booleans(),
        holder=st.sampled_from(HOLDERS),
        quantity=st.integers(1, 4),
    )
    def reserve(self, row: int, anywhere: bool, holder: str, quantity: int) -> object:
        chosen = self.rows[row]
        among = [r.pk for r in self.rows if r.product_id == chosen.product_id]
        among = among if anywhere else [chosen.pk]
        existing = [hold for hold in self.shop.live(holder=holder) if hold.row in among]
        expected = self.expected(existing, holder, among, quantity)
        try:
            held = services.reserve(
                product_id=chosen.product_id,
                warehouse_id=None if anywhere else chosen.warehouse_id,
                quantity=quantity,
                holder=Holder(self.named(holder)),
            )
        except ReservationError as refusal:
            assert refusal.code == expected
            return multiple()
        assert isinstance(held, Reservation)
        assert expected == "held"
        if existing:
            assert self.shop.holds[held.pk] in existing
            return multiple()
        price = self.shop.price[chosen.product_id]
        assert held.unit_paise == price
        self.shop.holds[held.pk] = Hold(held.inventory_id, holder, quantity, price=price)
        return held.pk

    def named(self, holder: str) -> str:
        """Examples share one database, so each has its own shoppers."""
        if holder.startswith("list:"):
            return holder
        return f"{holder}-{self.rows[0].pk}"

    @rule(visitor=st.sampled_from(HOLDERS[:2]))
    def sign_in(self, visitor: str) -> None:
        adopted = services.adopt(account=self.named("user:1"), visitor=self.named(visitor))
        taken = {hold.row for hold in self.shop.live(holder="user:1")}
        free = [hold for hold in self.shop.live(holder=visitor) if hold.row not in taken]
        assert {id(self.shop.holds[each.pk]) for each in adopted} == set(map(id, free))
        for hold in free:
            hold.holder = "user:1"

    def expected(self, existing: list[Hold], holder: str, rows: list[int], quantity: int) -> str:
        if existing:
            # In either warehouse.
            return "held" if quantity in [hold.quantity for hold in existing] else "already_held"
        if len(self.shop.live(holder=holder)) >= django_settings.RESERVATION_MAX_LIVE:
            return "limit_reached"
        if max(map(self.shop.free, rows)) >= quantity:
            return "held"
        available = max(map(self.shop.available, rows))
        return "waiting_list" if available >= quantity else "insufficient_stock"

    def end(self, verb, pk: UUID, becomes: str) -> None:
        hold = self.shop.holds[pk]
        code = {
            "pending": "",
            "expired": "reservation_expired",
            becomes: "" if becomes == "released" else "not_pending",
        }
        expected = code.get(hold.status, "not_pending")
        try:
            verb(reservation_id=pk)
        except ReservationError as refusal:
            assert refusal.code == expected
        else:
            assert expected == ""
            if hold.status == "pending" and becomes == "confirmed":
                self.shop.total[hold.row] -= hold.quantity
            hold.status = becomes

    @rule(pk=reservations)
    def confirm(self, pk: UUID) -> None:
        self.end(services.confirm, pk, "confirmed")

    @rule(pk=reservations)
    def release(self, pk: UUID) -> None:
        self.end(services.release, pk, "released")

    @rule(
        pk=reservations,
        quantity=st.integers(1, 12),
        seen=st.one_of(st.none(), st.integers(1, 4)),
    )
    def change(self, pk: UUID, quantity: int, seen: int | None) -> None:
        hold = self.shop.holds[pk]
        expected = self.expected_of_change(hold, quantity, seen)
        try:
            changed = services.change(reservation_id=pk, quantity=quantity, seen=seen)
        except ReservationError as refusal:
            assert refusal.code == expected
        else:
            assert expected == ""
            assert isinstance(changed, Reservation)
            assert changed.unit_paise == hold.price
            hold.quantity = quantity

    def expected_of_change(self, hold: Hold, quantity: int, seen: int | None) -> str:
        if hold.status != "pending":
            return "reservation_expired" if hold.status == "expired" else "not_pending"
        more = quantity - hold.quantity
        (product,) = (row.product_id for row in self.rows if row.pk == hold.row)
        too_many = quantity > django_settings.RESERVATION_MAX_UNITS
        refusals = {
            "quantity_changed": more != 0 and seen not in (None, hold.quantity),
            # An offer never grows.
            "limit_reached": more > 0 and (too_many or hold.holder.startswith("list:")),
            "price_changed": more > 0 and hold.price != self.shop.price[product],
            "insufficient_stock": more > 0 and self.shop.available(hold.row) < more,
            "waiting_list": more > 0 and self.shop.free(hold.row) < more,
        }
        return next((code for code, refused in refusals.items() if refused), "")

    @rule(row=st.integers(0, 3), paise=st.sampled_from([385_000, 400_000]))
    def staff_change_a_price(self, row: int, paise: int) -> None:
        product = self.rows[row].product_id
        Product.objects.filter(pk=product).update(price_paise=paise)
        self.shop.price[product] = paise

    @rule(pk=reservations)
    def renew(self, pk: UUID) -> None:
        hold = self.shop.holds[pk]
        try:
            services.renew(reservation_id=pk)
        except ReservationError:
            assert hold.status != "pending" or hold.renewals == 2
        else:
            assert hold.status == "pending"
            # An offer lasts for longer than a renewal would.
            if hold.left <= TTL:
                hold.renewals += 1
                hold.left = TTL

    @rule(seconds=st.sampled_from([60, 300, 601, 3601]))
    def time_passes(self, seconds: float) -> None:
        pass_time(seconds, inventory__in=list(self.shop.total))
        self.shop.pass_time(seconds)
        # A dead hold that was not swept is not available to the list yet, which the model does not
        # know.
        if self.shop.somebody_waits():
            self.sweep()

    @rule(row=st.integers(0, 3), delta=st.integers(-3, 3).filter(bool))
    def staff_correct(self, row: int, delta: int) -> None:
        pk = self.rows[row].pk
        reserved = Inventory.objects.get(pk=pk).reserved_units
        try:
            stock_room.adjust(
                inventory_id=pk, delta=delta, reason=StockMovement.Reason.COUNTED, note="x"
            )
        except (BelowReserved, BelowZero):
            assert self.shop.total[pk] + delta < reserved
        else:
            self.shop.total[pk] += delta

    @rule(pk=reservations)
    def read(self, pk: UUID) -> None:
        assert services.get(reservation_id=pk).status == self.shop.holds[pk].status

    @invariant()
    def the_shop_is_what_it_ought_to_be(self) -> None:
        # In SQL: compiling it with the ORM after each step took a third of the test's time.
        rows = [list(self.shop.total)]
        with connection.cursor() as cursor:
            found = {pk: numbers for pk, *numbers in cursor.execute(TOTALS, rows)}
            states = {pk: state for pk, *state in cursor.execute(STATES, rows)}
        expected = {pk: [units, self.shop.needs(pk)] for pk, units in self.shop.total.items()}
        assert found == expected
        for pk, hold in self.shop.holds.items():
            status, quantity, holder = states[pk]
            assert (quantity, holder) == (hold.quantity, self.named(hold.holder))
            # A dead hold may still count as held until a read or the sweep expires it.
            assert status == hold.status or (status, hold.status) == ("pending", "expired")

    def teardown(self) -> None:
        for pk, entry in self.shop.entries.items():
            state = waiting.get(entry_id=pk).state
            assert state == entry.state or (state, entry.state) == ("offered", "lapsed")
        assert audit_stock() == []


def test_any_order_of_events_leaves_the_books_balanced(monkeypatch) -> None:
    # The machine says when a list is served.
    monkeypatch.setattr("inventory.events.serve_soon", lambda _products: None)
    steps = int(os.environ.get("MACHINE_STEPS", "3000"))
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=steps // 50,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
