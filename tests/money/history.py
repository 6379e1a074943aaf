"""What shoppers, staff, the bank and time do to orders and their money."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partialmethod
from typing import Any, ClassVar, TypeVar
from urllib.error import HTTPError

from django.db.models import QuerySet
from django.test import Client

from checkout import clock, due
from checkout.exceptions import NotThatState
from checkout.models import Charge, Order, Payment
from checkout.orders import cancelling, refunding
from inventory.exceptions import AlreadyDone
from inventory.models import Inventory
from reservations import services
from reservations.clock.expiry import expire_due
from reservations.engine.commands import Holder, Withdraw
from reservations.engine.transactions import perform
from reservations.exceptions import ReservationError
from reservations.models import Reservation
from tests.bank import BankProcess
from tests.shopping import BUYER, key, press_reserve
from tests.stock import pass_time, stocked

Thing = TypeVar("Thing")
Row = dict[str, Any]

SECURED = ("requires_capture", "succeeded")


class History:
    """Each thing that happens is a method. It is about the order `number`, its shopper `who`, and
    of several holds, pages or payments about the one that `nth` picks."""

    bank: ClassVar[BankProcess]

    def begin(self) -> None:
        # Histories share one database, so each has products of its own.
        start = Inventory.objects.count()
        self.rows = [stocked(3, product=f"p-{start + n}") for n in range(3)]
        self.shoppers = [Client(), Client()]
        self.holds: list[list[str]] = [[], []]
        self.orders: dict[str, int] = {}  # by number: whose it is
        self.number, self.who, self.nth = "", 0, 0

    # --- shoppers ---------------------------------------------------------------------------

    def reserves(self) -> None:
        """The first by the shop's form, which makes the shopper known."""
        row, quantity = self.rows[self.nth % 3], 1 + self.nth % 2
        if held := self.holds[self.who]:
            self.reserves_more(Holder(Reservation.objects.get(pk=held[0]).holder), row, quantity)
            return
        answer = press_reserve(self.shopper, row, quantity)
        if answer.status_code == 303:
            self.holds[self.who].append(answer.headers["Location"].split("/")[2])

    def reserves_more(self, holder: Holder, row: Inventory, quantity: int) -> None:
        with suppress(ReservationError):
            more = services.reserve_in(rows=(row.pk,), quantity=quantity, holder=holder)
            self.holds[self.who].append(str(more.pk))

    def orders_one(self) -> None:
        self.orders_(str(self.hold().pk), name="Another Tab")

    def orders_all(self) -> None:
        self.orders_(*dict.fromkeys(self.holds[self.who]))

    def orders_(self, *holds: str, **form: str) -> None:
        """From the bag, also what has ended since."""
        chosen = {"hold": holds, "idempotency_key": key()}
        answer = self.shopper.post("/bag/pay/", {**BUYER, **form, **chosen})
        assert answer.status_code in (303, 409, 410), answer.content.decode()
        made = Order.objects.filter(order_lines__reservation__in=holds).order_by("opened_at")
        for number in made.values_list("number", flat=True):
            self.orders.setdefault(number, self.who)

    def changes_the_quantity(self) -> None:
        hold = self.hold()
        with suppress(ReservationError):
            services.change(reservation_id=hold.pk, quantity=1 + hold.quantity % 2)

    def releases(self) -> None:
        with suppress(ReservationError):
            services.release(reservation_id=self.hold().pk)

    def goes_on(self) -> None:
        assert self.shopper.post(f"/orders/{self.number}/pay/").status_code == 303

    def drops(self) -> None:
        assert self.shopper.post(f"/orders/{self.number}/drop/").status_code == 303

    def comes_back(self) -> None:
        page = self.shopper.get(f"/orders/{self.number}/paid/", follow=True)
        assert page.status_code == 200

    # --- at the bank, on any page that was ever opened for the order ------------------------

    def pays(self, way: str) -> None:
        if session := picked(self.sessions(self.number), self.nth):
            self.at_bank(f"sessions/{session}/pay", way=way)

    pays_by_card = partialmethod(pays, "card")
    pays_by_upi = partialmethod(pays, "upi")
    pays_twice = partialmethod(pays, "twice")
    pays_late = partialmethod(pays, "late")
    is_declined = partialmethod(pays, "declined")
    is_to_authenticate = partialmethod(pays, "authenticate")

    def money(self, what: str, **given: Any) -> None:
        if intent := picked(self.intents(self.number), self.nth):
            self.at_bank(f"intents/{intent['id']}/{what}", **given)

    approves = partialmethod(money, "approve")
    rejects = partialmethod(money, "reject")
    lapses = partialmethod(money, "lapse")
    is_disputed = partialmethod(money, "dispute")

    def is_refunded_there(self) -> None:
        if intent := picked(self.intents(self.number), self.nth):
            self.money("refund", amount=intent["amount"] // (1 + self.nth))

    def has_another_amount(self) -> None:
        """Before the shop has seen any, and before more of it went back than it would be."""
        seen = set(Charge.objects.values_list("reference", flat=True))
        for intent in self.intents(self.number):
            returned = self.bank.books("refund", intent=intent["id"])
            if intent["status"] in SECURED and intent["id"] not in seen and not returned:
                wrong: Row = {"currency": "usd"} if self.nth % 2 else {"amount": 1}
                self.at_bank(f"intents/{intent['id']}/falsify", **wrong)

    def refund_comes_back(self) -> None:
        for intent in self.intents(self.number):
            for made in self.bank.books("refund", intent=intent["id"])[:1]:
                self.at_bank(f"refunds/{made['id']}/fail")

    def next_refund_fails(self) -> None:
        self.bank.faults(fail_next_refund=True)

    def keys_are_forgotten(self) -> None:
        self.bank.control("forget-keys")

    # --- time and staff ---------------------------------------------------------------------

    def webhook(self) -> None:
        due.now_due(self.order.payments.latest("created_at").pk)

    def clock(self) -> None:
        self.payments().exclude(look_at=None).update(look_at="2020-01-01T00:00Z")
        clock.settle_due()

    def sweep(self) -> None:
        expire_due()

    def passes(self, seconds: int) -> None:
        pass_time(seconds, inventory__in=self.rows)

    a_minute = partialmethod(passes, 60)
    five_minutes = partialmethod(passes, 300)
    an_hour = partialmethod(passes, 3600)

    def is_withdrawn(self) -> None:
        hold = self.hold()
        with suppress(ReservationError):
            perform(
                Withdraw(
                    rows=(hold.inventory_id,),
                    reservation_ids=(hold.pk,),
                    cause=Reservation.Cause.DAMAGED,
                )
            )

    def is_refunded(self) -> None:
        if left := refunding.left_of(self.order):
            refunding.refund(self.order, amount=left // (1 + self.nth), reason="A scratch")

    def is_cancelled(self) -> None:
        with suppress(NotThatState, AlreadyDone):
            cancelling.cancel(self.order, reason="Broken")

    # --- helpers ----------------------------------------------------------------------------

    @property
    def order(self) -> Order:
        return Order.objects.get(number=self.number)

    @property
    def shopper(self) -> Client:
        return self.shoppers[self.who]

    def hold(self) -> Reservation:
        held = self.holds[self.who]
        return Reservation.objects.get(pk=held[self.nth % len(held)])

    def payments(self) -> QuerySet[Payment]:
        return Payment.objects.filter(order__number__in=self.orders)

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


def picked(among: Sequence[Thing], nth: int) -> Thing | None:
    return among[nth % len(among)] if among else None
