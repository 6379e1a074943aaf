"""The rules of the waiting list, for the machine of `test_machine`."""

from collections.abc import Callable, Collection
from uuid import UUID

import hypothesis.strategies as st
from django.contrib.auth.models import User
from hypothesis.stateful import Bundle, RuleBasedStateMachine, multiple, precondition, rule

from inventory.models import Inventory
from reservations.clock.expiry import expire_due
from reservations.exceptions import ReservationError
from reservations.waiting import services as waiting
from tests import stock_room
from tests.races.model import Entry, Shop

PEOPLE = ("a", "b", "c", "d")


class ListRules(RuleBasedStateMachine):
    reservations = Bundle("reservations")
    entries = Bundle("entries")

    rows: list[Inventory]
    shop: Shop
    staff: User
    unclaimed: list[UUID]

    @rule()
    def sweep(self) -> None:
        expire_due(batch=2)
        self.offered(self.shop.products.values())

    def offered(self, products: Collection[int]) -> None:
        """The new offers, which the database has made too."""
        for pk in self.shop.offers(products):
            hold = self.shop.holds.pop(pk)
            entry = waiting.get(entry_id=pk)
            assert entry.offer
            assert (entry.offer.inventory_id, entry.offer.quantity) == (hold.row, hold.quantity)
            self.shop.holds[entry.offer.pk] = hold
            self.unclaimed.append(entry.offer.pk)

    @precondition(lambda self: self.unclaimed)
    @rule(target=reservations)
    def open_the_mail(self) -> object:
        """From now on what is offered is bought, declined, changed or left to lapse."""
        found, self.unclaimed = self.unclaimed, []
        return multiple(*found)

    def sweep_unless_somebody_waits(self) -> None:
        """Then everything dead is swept by now."""
        if not self.shop.somebody_waits():
            expire_due()

    @rule(
        target=entries,
        row=st.integers(0, 3),
        anywhere=st.booleans(),
        quantity=st.integers(1, 4),
        exactly=st.booleans(),
        person=st.sampled_from(PEOPLE),
        confirmed=st.booleans(),
        scarce=st.sampled_from((True, True, False)),
    )
    def join(  # noqa: PLR0917 - what one chooses in the form
        self,
        row: int,
        anywhere: bool,
        quantity: int,
        exactly: bool,
        person: str,
        confirmed: bool,
        scarce: bool,
    ) -> object:
        chosen = self.rows[row]
        product = chosen.product_id
        rows = [r.pk for r in self.rows if r.product_id == product and (anywhere or r is chosen)]
        wanted = Entry(product, tuple(rows), quantity, exactly, person)
        self.sweep_unless_somebody_waits()
        if scarce:
            self.write_off_what_is_free(rows)
        refusals = [
            ("already_waiting", self.shop.waits(product, person)),
            ("not_wanted", max(map(self.shop.free, rows)) >= wanted.needs),
        ]
        # Of an address that is not proved nobody learns whether it waits, unless one has to wait.
        refusals = refusals if confirmed else refusals[::-1]
        refusals.insert(0, ("list_closed", product in self.shop.closed))
        expected = next((code for code, refused in refusals if refused), "")
        try:
            entry = waiting.join(
                product_id=product,
                warehouse_id=None if anywhere else chosen.warehouse_id,
                quantity=quantity,
                exactly=exactly,
                email=f"{person}-{self.rows[0].pk}@example.org",
                network="",
                confirmed=confirmed,
            )
        except ReservationError as refusal:
            assert refusal.code == expected
            return multiple()
        assert expected == ""
        self.shop.entries[entry.pk] = wanted
        if confirmed:
            self.put_on(entry.pk)
        return entry.pk

    def write_off_what_is_free(self, rows: Collection[int]) -> None:
        for row in rows:
            if free := self.shop.free(row):
                stock_room.write_off(inventory_id=row, units=free, note="x")
                self.shop.total[row] -= free

    def put_on(self, pk: UUID) -> None:
        self.shop.entries[pk].ended = ""
        self.shop.order.append(pk)
        self.offered([self.shop.entries[pk].product])

    @rule(pk=entries)
    def confirm_address(self, pk: UUID) -> None:
        entry = self.shop.entries[pk]
        self.sweep_unless_somebody_waits()
        if entry.state in ("waiting", "offered"):
            expected = ""
        elif entry.state != "unconfirmed":
            expected = "not_waiting"
        else:
            waits = self.shop.waits(entry.product, entry.person)
            expected = "already_waiting" if waits else ""
        if self.refused(lambda: waiting.confirm(entry_id=pk), expected):
            return
        if entry.state == "unconfirmed":
            self.put_on(pk)
        self.offered([entry.product])

    @rule(pk=entries)
    def leave(self, pk: UUID) -> None:
        entry = self.shop.entries[pk]
        self.sweep_unless_somebody_waits()
        leaves = entry.state in ("unconfirmed", "waiting", "left")
        if self.refused(lambda: waiting.leave(entry_id=pk), "" if leaves else "not_waiting"):
            return
        entry.ended = "left"
        self.offered([entry.product])

    def serve(self, row: int) -> None:
        product = self.shop.products[row]
        waiting.serve(product)
        self.offered([product])

    @precondition(lambda self: self.shop.somebody_waits())
    @rule(choice=st.integers(0, 9), units=st.integers(1, 3), served=st.booleans())
    def stock_arrives_for_the_list(self, choice: int, units: int, served: bool) -> None:
        takers = [entry for entry in self.shop.entries.values() if entry.state == "waiting"]
        rows = takers[choice % len(takers)].rows
        row = rows[choice % len(rows)]
        stock_room.receive(inventory_id=row, units=units)
        self.shop.total[row] += units
        if served:
            self.serve(row)

    @precondition(lambda self: self.shop.closed)
    @rule()
    def reopen(self) -> None:
        product = self.shop.closed.pop()
        waiting.reopen(product_id=product, by=self.staff)

    @precondition(lambda self: len(self.shop.entries) > 3 and not self.shop.closed)
    @rule(row=st.integers(0, 3))
    def close(self, row: int) -> None:
        product = self.rows[row].product_id
        waiting.close(product_id=product, reason="No more.", by=self.staff)
        self.shop.closed.add(product)
        for entry in self.shop.entries.values():
            if entry.product == product and entry.state in ("waiting", "unconfirmed"):
                entry.ended = "closed"

    def refused(self, verb: Callable[[], object], expected: str) -> bool:
        try:
            verb()
        except ReservationError as refusal:
            assert refusal.code == expected
            return True
        assert expected == ""
        return False
