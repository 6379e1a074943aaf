"""What the engine locks of orders, and writes with its decisions. Arrays carry a whole batch."""

from typing import Any
from uuid import UUID

from reservations.engine.books import Books
from reservations.engine.locks import Above

ORDERS, CHARGES, PAYMENTS, UNCLOSED = "orders", "charges", "payments", "unclosed payments"
GIVEN_UP = "given up payments"

# The state and the total are read under the lock. The columns are those of `OrderRow`.
LOCK_ORDERS = """
    SELECT id, state, total_paise FROM checkout_order WHERE id = ANY(%s::uuid[])
    ORDER BY id FOR NO KEY UPDATE
"""
# Charges of an order are written under its lock, so they are complete here.
READ_CHARGES = "SELECT order_id, reference FROM checkout_charge WHERE order_id = ANY(%s::uuid[])"
LOCK_PAYMENTS = """
    SELECT id, session_ref FROM checkout_payment WHERE id = ANY(%s::uuid[])
    ORDER BY id FOR NO KEY UPDATE
"""
# As charges, they are given up under the lock of their order.
READ_GIVEN_UP = """
    SELECT id, given_up_at IS NOT NULL FROM checkout_payment WHERE id = ANY(%s::uuid[])
"""
# Payments of an order are made under its lock.
READ_UNCLOSED = """
    SELECT order_id, id FROM checkout_payment
    WHERE order_id = ANY(%s::uuid[]) AND closed_at IS NULL
"""

# By rank. Before the decisions: its holds may be on the lines of a new order in the same
# transaction; a trigger makes its own lines inactive. The payment is due, so that the clock closes
# its page at the provider.
DROPPED = (
    (
        4,
        """
        UPDATE checkout_order SET state = 'dropped', dropped_at = clock_timestamp()
        WHERE id = ANY(%s::uuid[]) AND state = 'open'
        """,
    ),
    (
        5,
        """
        UPDATE checkout_payment SET look_at = clock_timestamp()
        WHERE order_id = ANY(%s::uuid[]) AND closed_at IS NULL
        """,
    ),
)
CLOSED = """
    UPDATE checkout_payment SET closed_at = clock_timestamp(), look_at = clock_timestamp()
    WHERE id = ANY(%s::uuid[]) AND closed_at IS NULL
"""
ORDER = """
    INSERT INTO checkout_order (id, number, holder, account_id, total_paise, shipping_paise,
        shipping_gst_percent, shipping_gst_paise, name, email, phone, line1, line2, city, region,
        pin, by_program, opened_at, state)
    SELECT opened.*, 'open'
    FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::int[], %s::bigint[], %s::bigint[],
        %s::int[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::text[], %s::text[], %s::text[], %s::bool[], %s::timestamptz[]) AS opened
"""
LINE = """
    INSERT INTO checkout_orderline (order_id, reservation_id, name, unit_paise, quantity,
        gst_percent, gst_paise, active)
    SELECT line.*, true
    FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::bigint[], %s::int[], %s::int[],
        %s::bigint[]) AS line
"""
PAYMENT = """
    INSERT INTO checkout_payment (id, order_id, provider, expires_at, look_at, success_url,
        cancel_url)
    SELECT payment.*
    FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::timestamptz[], %s::timestamptz[],
        %s::text[], %s::text[]) AS payment
"""
CHARGE = """
    INSERT INTO checkout_charge (order_id, payment_id, provider, reference, amount, currency, fact,
        decision)
    SELECT charge.*
    FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::bigint[], %s::text[],
        %s::text[], %s::text[]) AS charge
"""


class OrderRow:
    """An order that this transaction has locked: what one command decides the next one sees."""

    def __init__(self, row: list[Any]) -> None:
        self._row = row

    @property
    def state(self) -> str:
        return str(self._row[1])

    @state.setter
    def state(self, state: str) -> None:
        self._row[1] = state

    @property
    def total_paise(self) -> int:
        return int(self._row[2])


def row_of(books: Books, order_id: UUID) -> OrderRow:
    return OrderRow(books.above[ORDERS][order_id])


def orders(*ids: UUID) -> Above:
    return Above(4, ORDERS, LOCK_ORDERS, ids)


def charges_of(order_id: UUID) -> Above:
    return Above(6, CHARGES, READ_CHARGES, (order_id,), many=True)


def payments(*ids: UUID) -> Above:
    return Above(5, PAYMENTS, LOCK_PAYMENTS, ids)


def given_up(payment_id: UUID) -> Above:
    return Above(5, GIVEN_UP, READ_GIVEN_UP, (payment_id,))


def unclosed_payments_of(order_id: UUID) -> Above:
    return Above(5, UNCLOSED, READ_UNCLOSED, (order_id,), many=True)
