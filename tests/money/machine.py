"""Shoppers, staff, the bank and the clock in any order: what is true after each step, and what
becomes of all money when only the clock runs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, ClassVar, TypeVar
from urllib.error import HTTPError

import hypothesis.strategies as st
from django.test import Client
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
)

from allo.outbox.models import Message
from checkout import clock, due
from checkout.audit import audit_money
from checkout.exceptions import NotThatState
from checkout.models import Charge, Order, Payment, Refund
from checkout.orders import cancelling, refunding
from inventory.exceptions import AlreadyDone
from inventory.models import Inventory
from reservations import services
from reservations.clock.audit import audit_stock
from reservations.clock.expiry import expire_due
from reservations.engine.commands import Withdraw
from reservations.engine.transactions import perform
from reservations.exceptions import ReservationError
from reservations.models import Reservation
from tests.bank import BankProcess
from tests.money.at_bank import astray
from tests.shopping import BUYER, key, press_reserve
from tests.stock import pass_time, stocked

Thing = TypeVar("Thing")
Row = dict[str, Any]

SECURED = ("requires_capture", "succeeded")
# For the calls of one step; mostly there is none.
FAULTS = st.sampled_from([None, None, None, "down", "lose_answers", "too_many"])
NTH = st.integers(0, 3)
WAYS = st.sampled_from(["card", "card", "upi", "declined", "authenticate", "late", "twice"])


class Machine(RuleBasedStateMachine):
    bank: ClassVar[BankProcess]
    orders = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        start = Inventory.objects.count()
        self.rows = [stocked(n, product=f"p-{start + n}") for n in (2, 3, 4)]
        self.shoppers = [Client(), Client()]
        self.holds: list[list[str]] = [[], []]
        self.known: dict[str, int] = {}  # the number of each order, and whose it is

    # --- shoppers ---------------------------------------------------------------------------

    @rule(who=st.integers(0, 1), row=st.integers(0, 2), quantity=st.integers(1, 2))
    def reserve(self, who: int, row: int, quantity: int) -> None:
        answer = press_reserve(self.shoppers[who], self.rows[row], quantity)
        if answer.status_code == 303:
            self.holds[who].append(answer.headers["Location"].split("/")[2])

    @rule(
        target=orders,
        who=st.integers(0, 1),
        several=st.booleans(),
        nth=NTH,
        name=st.sampled_from(["Asha Rao", "Asha Rao", "Another Tab"]),
        fault=FAULTS,
    )
    def order(self, who: int, several: bool, nth: int, name: str, fault: str | None) -> object:
        """From the bag; the second tab gives another name."""
        held = list(dict.fromkeys(self.holds[who]))
        if not held:
            return multiple()
        chosen = held[-3:] if several else [picked(held, nth)]
        form = {**BUYER, "name": name, "hold": chosen, "idempotency_key": key()}
        with self.fault(fault):
            answer = self.shoppers[who].post("/bag/pay/", form)
        assert answer.status_code in (303, 409, 410), answer.content.decode()
        lines = Order.objects.filter(order_lines__reservation__in=chosen)
        new = set(lines.values_list("number", flat=True)) - set(self.known)
        self.known |= dict.fromkeys(new, who)
        return multiple(*new)

    @rule(number=orders, verb=st.sampled_from(["pay", "drop"]), fault=FAULTS)
    def press(self, number: str, verb: str, fault: str | None) -> None:
        with self.fault(fault):
            answer = self.shopper(number).post(f"/orders/{number}/{verb}/")
        assert answer.status_code == 303

    @rule(number=orders, fault=FAULTS)
    def come_back(self, number: str, fault: str | None) -> None:
        with self.fault(fault):
            answer = self.shopper(number).get(f"/orders/{number}/paid/", follow=True)
        assert answer.status_code == 200

    @rule(number=orders, way=WAYS, nth=NTH)
    def pay(self, number: str, way: str, nth: int) -> None:
        """On any page that was ever opened for it."""
        if session := picked(self.sessions(number), nth):
            self.at_bank(f"sessions/{session}/pay", way=way)

    @rule(who=st.integers(0, 1), nth=NTH, verb=st.sampled_from(["release", "withdraw", "change"]))
    def end_or_change_a_hold(self, who: int, nth: int, verb: str) -> None:
        if not (held := picked(self.holds[who], nth)):
            return
        hold = Reservation.objects.get(pk=held)
        with suppress(ReservationError):
            if verb == "release":
                services.release(reservation_id=hold.pk)
            elif verb == "change":
                services.change(reservation_id=hold.pk, quantity=3 - min(hold.quantity, 2))
            else:
                cause = Reservation.Cause.DAMAGED
                ids = (hold.pk,)
                perform(Withdraw(rows=(hold.inventory_id,), reservation_ids=ids, cause=cause))

    # --- time and the clock -----------------------------------------------------------------

    @rule(seconds=st.sampled_from([60, 300, 901]))
    def time_passes(self, seconds: int) -> None:
        pass_time(seconds, inventory__in=self.rows)

    @rule()
    def sweep(self) -> None:
        expire_due()

    @rule(fault=FAULTS)
    def clock_runs(self, fault: str | None) -> None:
        self.payments().exclude(look_at=None).update(look_at="2020-01-01T00:00Z")
        with self.fault(fault):
            clock.settle_due()

    @rule(number=orders)
    def webhook(self, number: str) -> None:
        due.now_due(self.of(number).payments.latest("created_at").pk)

    # --- the bank ---------------------------------------------------------------------------

    @rule(
        number=orders,
        nth=NTH,
        what=st.sampled_from(["approve", "reject", "lapse", "refund", "refund", "dispute"]),
    )
    def at_the_bank(self, number: str, nth: int, what: str) -> None:
        if intent := picked(self.intents(number), nth):
            more = {"amount": intent["amount"] // (nth + 1)} if what == "refund" else {}
            self.at_bank(f"intents/{intent['id']}/{what}", **more)

    @rule(number=orders, wrong=st.sampled_from([{"amount": 1}, {"currency": "usd"}]))
    def another_amount_appears(self, number: str, wrong: dict[str, Any]) -> None:
        """Before the shop has seen any."""
        seen = set(Charge.objects.values_list("reference", flat=True))
        for intent in self.intents(number):
            if intent["status"] in SECURED and intent["id"] not in seen:
                self.at_bank(f"intents/{intent['id']}/falsify", **wrong)

    @rule(number=orders)
    def a_refund_comes_back(self, number: str) -> None:
        for intent in self.intents(number):
            for made in self.bank.books("refund", intent=intent["id"])[:1]:
                self.at_bank(f"refunds/{made['id']}/fail")

    @rule()
    def keys_are_forgotten(self) -> None:
        self.bank.control("forget-keys")

    @rule()
    def the_next_refund_fails(self) -> None:
        self.bank.faults(fail_next_refund=True)

    # --- staff ------------------------------------------------------------------------------

    @rule(number=orders, share=st.integers(1, 3))
    def refund(self, number: str, share: int) -> None:
        order = self.of(number)
        if left := refunding.left_of(order):
            refunding.refund(order, amount=left // share, reason="A scratch")

    @rule(number=orders)
    def cancel(self, number: str) -> None:
        with suppress(NotThatState, AlreadyDone):
            cancelling.cancel(self.of(number), reason="Broken")

    # --- what is true -----------------------------------------------------------------------

    @invariant()
    def the_books_are_in_order(self) -> None:
        assert audit_money() == audit_stock() == []

    def teardown(self) -> None:
        """With only the clock, what was paid in time is sold, and all money comes to where it
        belongs."""
        self.bank.faults(fail_next_refund=None)
        in_time = [number for number in self.known if self.is_paid_in_time(number)]
        self.clock_runs(None)
        assert [number for number in in_time if self.of(number).state != "paid"] == []
        pass_time(7200, inventory__in=self.rows)
        expire_due()
        for _ in range(4):
            self.clock_runs(None)
        self.the_books_are_in_order()
        self.nothing_is_left_to_do()

    def nothing_is_left_to_do(self) -> None:
        mine = Order.objects.filter(number__in=self.known)
        assert not mine.filter(state__in=("open", "placed")).exists()
        assert not self.payments().filter(closed_at=None).exists()
        assert not Charge.objects.filter(order__in=mine, settled_at=None).exists()
        assert not Refund.objects.filter(charge__order__in=mine, state="asked").exists()
        receipts = [
            f"receipt:{pk}" for pk in mine.exclude(paid_at=None).values_list("pk", flat=True)
        ]
        assert Message.objects.filter(key__in=receipts).count() == len(receipts)
        assert astray(self.bank, mine) == []

    def is_paid_in_time(self, number: str) -> bool:
        order = self.of(number)
        lines = order.order_lines.filter(active=True).select_related("reservation")
        if order.state != "open" or not all(is_live(line.reservation) for line in lines):
            return False
        right = (order.total_paise, "inr")
        seen = set(Charge.objects.filter(order=order).values_list("reference", flat=True))
        return any(
            (intent["amount"], intent["currency"]) == right
            and intent["status"] in SECURED
            and intent["id"] not in seen
            and not self.bank.books("refund", intent=intent["id"])
            for intent in self.intents(number)
        )

    # --- helpers ----------------------------------------------------------------------------

    def of(self, number: str) -> Order:
        return Order.objects.get(number=number)

    def shopper(self, number: str) -> Client:
        return self.shoppers[self.known[number]]

    def payments(self) -> Any:
        return Payment.objects.filter(order__number__in=self.known)

    def sessions(self, number: str) -> list[str]:
        opened = self.payments().filter(order__number=number).exclude(session_ref=None)
        return [str(row.session_ref) for row in opened.order_by("created_at")]

    def intents(self, number: str) -> list[Row]:
        sessions = self.sessions(number)
        return [row for pk in sessions for row in self.bank.books("intent", session=pk)[::-1]]

    def at_bank(self, path: str, **given: Any) -> None:
        """What the bank refuses, such as to pay on a page that has ended, did not happen."""
        try:
            self.bank.control(path, **given)
        except HTTPError as error:
            assert error.code == 400, error.read()

    @contextmanager
    def fault(self, name: str | None) -> Iterator[None]:
        with self.bank.fault(**{name: True}) if name else nullcontext():
            yield


def picked(among: Sequence[Thing], nth: int) -> Thing | None:
    return among[nth % len(among)] if among else None


def is_live(hold: Reservation) -> bool:
    live = Reservation.objects.pending().exclude(pk__in=Reservation.objects.due())
    return live.filter(pk=hold.pk).exists()
