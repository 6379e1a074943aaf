"""Checks the invariants P1 to P5, P7 and P8 (`docs/how-it-works.md`) in one consistent snapshot."""

from datetime import datetime

from django.conf import settings

from allo.postgresql.auditing import Finding, audit
from reservations.clock import audit_runs
from reservations.models import AuditRun

# Sales from before there were orders have none. When that was is known from Django's record of the
# migration that made orders, which every database has, a restored one too. Without that record all
# sales are checked, and the old ones reported.
SINCE = """
    SELECT coalesce(max(applied), '-infinity') FROM django_migrations
    WHERE app = 'checkout' AND name = '0005_orders_and_their_money'
"""
# A message may be pruned at this age, so a paid order that is almost as old may lack its receipt.
YOUNG = "now() - make_interval(days => %(days)s) + interval '1 hour'"
# Receipts from before this may have been deleted: the clock marks it each hour, and the mark stays
# when messages are kept for more days from then on.
DELETED = """
    SELECT coalesce(max(until) + interval '1 hour', '-infinity') FROM reservations_forgotten
    WHERE what = 'receipts'
"""

# Each returns (row, found, expected) for every row that breaks the invariant.
CHECKS = {
    # Only a whole audit compares all sales with all orders. A sale by a merchant's token has no
    # order, as its program collects its own money.
    "P1": f"""
        SELECT 'reservation ' || held.id, 'sold in ' || count(bought.id) || ' orders', '1'
        FROM reservations_reservation AS held
        LEFT JOIN checkout_orderline AS line ON line.reservation_id = held.id AND line.active
        LEFT JOIN checkout_order AS bought
            ON bought.id = line.order_id AND bought.placed_at IS NOT NULL
        WHERE held.status = 'confirmed'
            AND held.ended_at >= greatest(({SINCE}), %(since)s::timestamptz)
            AND left(held.holder, 6) <> 'token:'
        GROUP BY held.id HAVING count(bought.id) <> 1
        UNION ALL
        SELECT 'order ' || bought.number,
            coalesce('reservation ' || held.id || ' ' || held.status || ' ' || held.quantity,
                     'no line'),
            coalesce('confirmed ' || line.quantity, 'at least one')
        FROM checkout_order AS bought
        LEFT JOIN checkout_orderline AS line ON line.order_id = bought.id AND line.active
        LEFT JOIN reservations_reservation AS held ON held.id = line.reservation_id
        WHERE bought.placed_at >= %(since)s
            AND (held.status = 'confirmed' AND held.quantity = line.quantity) IS NOT TRUE
    """,  # noqa: S608 - constants
    "P2": """
        SELECT 'order ' || number, state || ', ' || coalesce(taken.charges, 0) || ' charges taken',
            CASE WHEN placed_at IS NULL THEN '0' ELSE '1' END
        FROM checkout_order AS bought
        LEFT JOIN (SELECT order_id, count(*) AS charges FROM checkout_charge
                   WHERE decision = 'take' GROUP BY order_id) AS taken ON taken.order_id = bought.id
        WHERE coalesce(taken.charges, 0) <> (placed_at IS NOT NULL)::int
    """,
    "P3": """
        SELECT 'order ' || number,
            coalesce(fact || ' ' || amount || ' ' || currency, 'no charge taken'),
            'captured ' || total_paise || ' INR'
        FROM checkout_order AS bought
        LEFT JOIN checkout_charge AS taken
            ON taken.order_id = bought.id AND taken.decision = 'take'
        WHERE paid_at IS NOT NULL
            AND (fact = 'captured' AND amount = total_paise AND currency = 'INR') IS NOT TRUE
    """,
    "P4": """
        SELECT 'charge ' || reference, seen_as || ', then captured, to give back', 'void'
        FROM checkout_charge
        WHERE decision = 'give_back' AND seen_as = 'authorised' AND fact = 'captured'
    """,
    "P5": """
        SELECT 'charge ' || charge.reference, charge.fact || ', refunded ' || refunded_paise,
            coalesce(back.paise, 0) || ' by its refunds, at most '
                || CASE WHEN charge.fact = 'captured' THEN charge.amount ELSE 0 END
        FROM checkout_charge AS charge
        LEFT JOIN (SELECT charge_id, sum(amount) AS paise FROM checkout_refund
                   WHERE state <> 'failed' GROUP BY charge_id) AS back ON back.charge_id = charge.id
        WHERE refunded_paise <> coalesce(back.paise, 0)
            OR refunded_paise > CASE WHEN charge.fact = 'captured' THEN charge.amount ELSE 0 END
        UNION ALL
        SELECT 'refund ' || reference, count(*) || ' of this reference', '1'
        FROM checkout_refund WHERE reference IS NOT NULL GROUP BY reference HAVING count(*) > 1
    """,
    # An order whose buyer gave no e-mail address gets no receipt.
    "P7": f"""
        SELECT 'order ' || number, state || ', no receipt', 'a message receipt:' || id
        FROM checkout_order AS bought
        WHERE paid_at > greatest({YOUNG}, ({DELETED})) AND email <> ''
            AND NOT EXISTS (SELECT FROM outbox_message WHERE key = 'receipt:' || bought.id)
        UNION ALL
        SELECT 'message ' || key, coalesce('order ' || state, 'no order'), 'an order that was paid'
        FROM outbox_message
        LEFT JOIN checkout_order AS bought ON key = 'receipt:' || bought.id
        WHERE left(key, 8) = 'receipt:' AND paid_at IS NULL
    """,  # noqa: S608 - constants
    # A changed state or decision leaves traces: the order still has the time of the final state,
    # and a changed decision breaks P2.
    "P8": """
        SELECT 'order ' || number, state || ', ' || final || ' at ' || at, final
        FROM checkout_order, LATERAL (VALUES ('dropped', dropped_at), ('delivered', delivered_at),
            ('cancelled', cancelled_at)) AS ended(final, at)
        WHERE at IS NOT NULL AND state <> final OR at IS NULL AND state = final
    """,
}


def audit_money(since: datetime | None = None) -> list[Finding]:
    """Every row that breaks an invariant. Must not be called inside a transaction."""
    return audit(CHECKS, since, {"days": settings.KEEP_MESSAGES_DAYS})


def run_audit(*, whole: bool = True) -> AuditRun:
    """Audits, and stores the result for staff."""
    return audit_runs.keep(AuditRun.Books.MONEY, audit_money, whole=whole)
