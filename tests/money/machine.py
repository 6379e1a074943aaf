"""Things happen in any order: what is true after each, and what becomes of all money when after
them only the clock runs."""

from contextlib import nullcontext

import hypothesis.strategies as st
from django.db import connection
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from allo.outbox.models import Message
from checkout.audit import audit_money
from checkout.models import Charge, Order, Refund
from reservations.clock.audit import audit_stock
from reservations.clock.expiry import expire_due
from reservations.models import Reservation
from tests.money.at_bank import astray
from tests.money.history import SECURED, History
from tests.stock import pass_time

# For the calls of one step; mostly there is none.
FAULTS = st.sampled_from([None, None, None, "down", "lose_answers", "too_many"])
CALLS = {"orders_one", "orders_all", "goes_on", "drops", "comes_back", "clock"}
# What happens in a step, and how often beside the others. One rule draws from these: of many rules
# Hypothesis leaves out a good part in each history, and hardly any would come to a payment.
HAPPENS = {
    "reserves": 2, "orders_one": 1, "orders_all": 1, "changes_the_quantity": 1, "releases": 1,
    "goes_on": 2, "drops": 1, "comes_back": 3,
    "pays_by_card": 4, "pays_by_upi": 2, "pays_twice": 2, "pays_late": 1, "is_declined": 1,
    "is_to_authenticate": 2, "approves": 2, "rejects": 1,
    "lapses": 1, "is_disputed": 1, "is_refunded_there": 1, "has_another_amount": 1,
    "refund_comes_back": 1, "next_refund_fails": 1, "keys_are_forgotten": 1,
    "webhook": 1, "clock": 5, "sweep": 1, "a_minute": 1, "five_minutes": 1, "an_hour": 1,
    "is_withdrawn": 1, "is_refunded": 3, "is_cancelled": 3,
}  # fmt: skip
FIRST = st.sampled_from(["", "card", "upi", "twice"])
WHAT = st.sampled_from([name for name, times in HAPPENS.items() for _ in range(times)])


class Machine(History, RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.begin()
        self.audited = 0

    @initialize(holds=st.tuples(st.integers(1, 2), st.integers(1, 2)), ways=st.tuples(FIRST, FIRST))
    def two_shoppers_order(self, holds: tuple[int, int], ways: tuple[str, str]) -> None:
        for self.who, many in enumerate(holds):
            for self.nth in range(many):
                self.reserves()
            self.orders_all()
            if ways[self.who]:
                self.number, self.nth = next(reversed(self.orders)), 0
                self.pays(ways[self.who])

    @rule(what=WHAT, which=st.integers(0, 7), nth=st.integers(0, 3), fault=FAULTS)
    def happens(self, what: str, which: int, nth: int, fault: str | None) -> None:
        self.number = list(self.orders)[which % len(self.orders)]
        self.who, self.nth = self.orders[self.number], nth
        with self.bank.fault(**{fault: True}) if fault and what in CALLS else nullcontext():
            getattr(self, what)()

    # --- what is true -----------------------------------------------------------------------

    @invariant()
    def the_books_are_in_order(self) -> None:
        """Audited if anything was written since the last time."""
        if (now := rows_written()) != self.audited:
            self.audit()
            self.audited = now

    def audit(self) -> None:
        assert audit_money() == audit_stock() == []

    def teardown(self) -> None:
        """With only the clock, what was paid in time is sold, and all money comes to where it
        belongs."""
        self.bank.faults(fail_next_refund=None)
        in_time = [number for number in self.orders if self.is_paid_in_time(number)]
        self.clock()
        assert not Order.objects.filter(number__in=in_time).exclude(state="paid").exists()
        pass_time(7200, inventory__in=self.rows)
        expire_due()
        for _ in range(4):
            self.clock()
            if not self.something_is_left_to_do():
                break
        self.audit()
        self.all_is_where_it_belongs()

    def something_is_left_to_do(self) -> bool:
        mine = Order.objects.filter(number__in=self.orders)
        left = (
            mine.filter(state__in=("open", "placed")),
            self.payments().filter(closed_at=None),
            Charge.objects.filter(order__in=mine, settled_at=None),
            Refund.objects.filter(charge__order__in=mine, state="asked"),
        )
        return any(rows.exists() for rows in left)

    def all_is_where_it_belongs(self) -> None:
        assert not self.something_is_left_to_do()
        mine = Order.objects.filter(number__in=self.orders)
        receipts = [
            f"receipt:{pk}" for pk in mine.exclude(paid_at=None).values_list("pk", flat=True)
        ]
        assert Message.objects.filter(key__in=receipts).count() == len(receipts)
        assert astray(self.bank, mine) == []

    def is_paid_in_time(self, number: str) -> bool:
        order = Order.objects.get(number=number)
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


def rows_written() -> int:
    """In this database since it was made; tests beside this one write in others."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("""
            SELECT tup_inserted + tup_updated + tup_deleted FROM pg_stat_database
            WHERE datname = current_database()
        """)
        return int(cursor.fetchone()[0])


def is_live(hold: Reservation) -> bool:
    live = Reservation.objects.pending().exclude(pk__in=Reservation.objects.due())
    return live.filter(pk=hold.pk).exists()
