"""What the engine locks of orders, and writes with its decisions. Arrays carry a whole batch."""

from typing import Any
from uuid import UUID

from allo.outbox.hooks import writing
from reservations.engine.also import Also
from reservations.engine.books import Books
from reservations.engine.locks import Above

ORDERS, CHARGES, PAYMENTS, UNCLOSED = "orders", "charges", "payments", "unclosed payments"
GIVEN_UP = "given up payments"

# The state and the total are read under the lock. The columns are those of `OrderRow`.
LOCK_ORDERS = """
    SELECT id, state, total_paise FROM checkout_order WHERE id = ANY(%s::uuid[])
    ORDER BY id FOR NO KEY UPDATE
"""
# The charges of an order are written under its lock, so these are complete.
READ_CHARGES = "SELECT order_id, reference FROM checkout_charge WHERE order_id = ANY(%s::uuid[])"
LOCK_PAYMENTS = """
    SELECT id, session_ref FROM checkout_payment WHERE id = ANY(%s::uuid[])
    ORDER BY id FOR NO KEY UPDATE
"""
# Like charges, payments are given up under the lock of their order.
READ_GIVEN_UP = """
    SELECT id, given_up_at IS NOT NULL FROM checkout_payment WHERE id = ANY(%s::uuid[])
"""
# Payments of an order are made under its lock.
READ_UNCLOSED = """
    SELECT order_id, id FROM checkout_payment
    WHERE order_id = ANY(%s::uuid[]) AND closed_at IS NULL
"""

# Written in the order of their ranks, and before the decisions: the holds may be on the lines of a
# new order in the same transaction, and a trigger makes the lines of this one inactive. The payment
# becomes due, so that the clock closes its page at the provider.
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
_TIME = """to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_TIMES = ", ".join(
    f"'{state}_at', {_TIME.format(f'sale.{state}_at')}"
    for state in ("placed", "paid", "packed", "shipped", "delivered", "cancelled")
)
# What webhooks get about orders: nothing about the buyer, and no tracking number.
_TOLD = """
    SELECT told.n, told.kind, sale.id::text AS subject, clock_timestamp() AS at, jsonb_build_object(
        'number', sale.number, 'state', sale.state, 'total_paise', sale.total_paise,
        'shipping_paise', sale.shipping_paise, 'currency', 'INR', {times},
        'refunded_paise', (
            SELECT coalesce(sum(refund.amount), 0) FROM checkout_charge AS charge
            JOIN checkout_refund AS refund ON refund.charge_id = charge.id
            WHERE charge.order_id = sale.id AND charge.decision = 'take' AND refund.state = 'done'
        ),
        'lines', (
            SELECT jsonb_agg(jsonb_build_object(
                'reservation', line.reservation_id, 'product', product.slug, 'name', line.name,
                'warehouse', warehouse.code, 'quantity', line.quantity,
                'unit_paise', line.unit_paise,
                'total_paise', line.unit_paise::bigint * line.quantity,
                'shipped_at', {shipped_at}
            ) ORDER BY line.id)
            FROM checkout_orderline AS line
            JOIN reservations_reservation AS held ON held.id = line.reservation_id
            JOIN inventory_inventory AS row ON row.id = held.inventory_id
            JOIN catalog_product AS product ON product.id = row.product_id
            JOIN inventory_warehouse AS warehouse ON warehouse.id = row.warehouse_id
            WHERE line.order_id = sale.id AND line.active
        )
    ) AS data
    FROM unnest(%s::text[], %s::uuid[]) WITH ORDINALITY AS told(kind, id, n)
    JOIN checkout_order AS sale ON sale.id = told.id
"""
TOLD = _TOLD.format(times=_TIMES, shipped_at=_TIME.format("line.shipped_at"))
WRITE_TOLD = writing.statement(TOLD)
PLACED = "order.placed"


class OrderRow:
    """An order that this transaction has locked. Each command sees what the one before it
    decided."""

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


def tell_placed(books: Books, order_id: UUID) -> None:
    """Tells webhooks, after the charge: its trigger places the order."""
    if PLACED in books.telling.wanted:
        books.after.append(Also(WRITE_TOLD, (PLACED, order_id), rank=7))
