"""What the database enforces for payments, charges and refunds, whatever program writes to them."""

# mypy: allow-untyped-calls
# pgtrigger is only partly typed.

import pgtrigger
from pgtrigger import Condition, UpdateOf

from allo.postgresql.triggers import Refuse, RefuseUnless
from checkout.models.order_triggers import changed, goes_with_its_order, only_moves, set_once

OF_PAYMENT = (
    RefuseUnless(
        name="payment_is_of_an_open_order",
        operation=pgtrigger.Insert,
        fact="EXISTS (SELECT FROM checkout_order WHERE id = NEW.order_id AND state = 'open')",
    ),
    Refuse(
        name="invitation_stays_as_made",
        operation=pgtrigger.Update,
        condition=changed(
            "id", "order_id", "provider", "expires_at", "success_url", "cancel_url", "created_at"
        ),
    ),
    Refuse(
        name="session_is_set_once",
        operation=UpdateOf("session_ref", "url"),
        condition=Condition(
            "OLD.session_ref IS NOT NULL AND (OLD.session_ref, OLD.url)"
            " IS DISTINCT FROM (NEW.session_ref, NEW.url)"
        ),
    ),
    Refuse(
        name="closed_is_closed", operation=UpdateOf("closed_at"), condition=set_once("closed_at")
    ),
    Refuse(
        name="given_up_is_given_up",
        operation=UpdateOf("given_up_at"),
        condition=set_once("given_up_at"),
    ),
    RefuseUnless(
        name="taken_is_not_given_up",
        operation=UpdateOf("given_up_at"),
        fact="NOT EXISTS (SELECT FROM checkout_charge WHERE payment_id = NEW.id"
        " AND decision = 'take')",
    ),
    goes_with_its_order("payment_goes_with_its_order"),
)

# For a charge that is taken. Checked at once and after the row is written: by then an earlier
# statement of the same transaction has confirmed the reservations.
TAKEN = Condition("NEW.decision = 'take'")

OF_CHARGE = (
    RefuseUnless(
        name="charge_is_of_its_payment",
        operation=pgtrigger.Insert,
        fact="EXISTS (SELECT FROM checkout_payment WHERE id = NEW.payment_id"
        " AND order_id = NEW.order_id AND provider = NEW.provider)",
    ),
    Refuse(
        name="charge_begins_unrefunded",
        operation=pgtrigger.Insert,
        condition=Condition("NEW.refunded_paise <> 0"),
    ),
    Refuse(
        name="taken_is_secured",
        operation=pgtrigger.Insert,
        condition=Condition("NEW.decision = 'take' AND NEW.fact = 'void'"),
    ),
    RefuseUnless(
        name="given_up_is_not_taken",
        operation=pgtrigger.Insert,
        condition=TAKEN,
        fact="(SELECT given_up_at IS NULL FROM checkout_payment WHERE id = NEW.payment_id)",
    ),
    pgtrigger.Trigger(
        name="fact_is_kept_as_first_seen",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        func="NEW.seen_as = NEW.fact; RETURN NEW;",
    ),
    RefuseUnless(
        name="taken_is_the_total",
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        condition=TAKEN,
        fact="(SELECT total_paise FROM checkout_order WHERE id = NEW.order_id) = NEW.amount",
    ),
    RefuseUnless(
        name="taken_total_is_of_its_lines",
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        condition=TAKEN,
        fact="(SELECT total_paise - shipping_paise FROM checkout_order WHERE id = NEW.order_id) ="
        " (SELECT sum(unit_paise::bigint * quantity) FROM checkout_orderline"
        " WHERE order_id = NEW.order_id AND active)",
    ),
    # Null: the order was opened before shipping bore tax.
    RefuseUnless(
        name="taken_shipping_bears_the_highest_gst",
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        condition=TAKEN,
        fact="(SELECT coalesce(sent.shipping_gst_percent = max(line.gst_percent), true)"
        " FROM checkout_order AS sent"
        " JOIN checkout_orderline AS line ON line.order_id = sent.id AND line.active"
        " WHERE sent.id = NEW.order_id GROUP BY sent.id)",
    ),
    RefuseUnless(
        name="taken_lines_are_sold",
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        condition=TAKEN,
        fact="(SELECT bool_and(held.status = 'confirmed' AND held.quantity = line.quantity)"
        " FROM checkout_orderline AS line"
        " JOIN reservations_reservation AS held ON held.id = line.reservation_id"
        " WHERE line.order_id = NEW.order_id AND line.active)",
    ),
    RefuseUnless(
        name="taken_places_its_order",
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        condition=TAKEN,
        first="UPDATE checkout_order SET state = 'placed', placed_at = NEW.created_at"
        " WHERE id = NEW.order_id AND state = 'open';",
        fact="FOUND",
    ),
    Refuse(
        name="charge_stays_as_made",
        operation=pgtrigger.Update,
        condition=changed(
            "id",
            "order_id",
            "payment_id",
            "provider",
            "reference",
            "amount",
            "currency",
            "seen_as",
            "created_at",
        ),
    ),
    Refuse(name="decision_is_final", operation=pgtrigger.Update, condition=changed("decision")),
    # Money that was given back may be captured too, by somebody at the provider. That is recorded
    # as the fact it is; it goes back as a refund, and the audit reports it.
    Refuse(
        name="fact_only_moves_forward",
        operation=UpdateOf("fact"),
        condition=only_moves("fact", (("authorised", "captured"), ("authorised", "void"))),
    ),
    RefuseUnless(
        name="refunded_is_the_sum_of_refunds",
        operation=pgtrigger.Update,
        condition=changed("refunded_paise"),
        fact="NEW.refunded_paise = (SELECT coalesce(sum(amount), 0) FROM checkout_refund"
        " WHERE charge_id = NEW.id AND state IN ('asked', 'done'))",
    ),
    Refuse(
        name="dispute_is_dated_once",
        operation=UpdateOf("disputed_at"),
        condition=set_once("disputed_at"),
    ),
    Refuse(
        name="settled_is_settled",
        operation=UpdateOf("settled_at"),
        condition=set_once("settled_at"),
    ),
    Refuse(name="charges_are_kept", operation=pgtrigger.Delete),
)

# The lock of the charge makes its refunds wait for each other. Each later statement sees what was
# committed before it began, so it counts all of them.
LOCK_CHARGE = "PERFORM FROM checkout_charge WHERE id = NEW.charge_id FOR NO KEY UPDATE;"
SUM_REFUNDS = (
    "UPDATE checkout_charge SET refunded_paise = (SELECT coalesce(sum(amount), 0)"
    " FROM checkout_refund WHERE charge_id = NEW.charge_id AND state IN ('asked', 'done'))"
    " WHERE id = NEW.charge_id;"
)

OF_REFUND = (
    RefuseUnless(
        name="refunded_units_were_sold",
        operation=pgtrigger.Insert,
        condition=Condition("NEW.line_id IS NOT NULL"),
        first=LOCK_CHARGE,
        fact="EXISTS (SELECT FROM checkout_orderline AS line"
        " JOIN checkout_charge AS charge ON charge.order_id = line.order_id"
        " WHERE line.id = NEW.line_id AND charge.id = NEW.charge_id"
        " AND NEW.units + (SELECT coalesce(sum(units), 0) FROM checkout_refund"
        " WHERE line_id = NEW.line_id AND state IN ('asked', 'done')) <= line.quantity)",
    ),
    pgtrigger.Trigger(
        name="refunds_are_summed",
        when=pgtrigger.After,
        operation=pgtrigger.Insert | UpdateOf("state"),
        func=f"{LOCK_CHARGE} {SUM_REFUNDS} RETURN NULL;",
    ),
    pgtrigger.Trigger(
        name="refund_is_done_now",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert | UpdateOf("state"),
        condition=Condition("NEW.state = 'done' AND NEW.done_at IS NULL"),
        func="NEW.done_at = now(); RETURN NEW;",
    ),
    Refuse(
        name="refund_is_done_once", operation=UpdateOf("done_at"), condition=set_once("done_at")
    ),
    Refuse(
        name="refund_stays_as_made",
        operation=pgtrigger.Update,
        condition=changed(
            "id", "charge_id", "line_id", "units", "amount", "reason", "actor_id", "created_at"
        ),
    ),
    Refuse(
        name="refund_only_moves_forward",
        operation=UpdateOf("state"),
        condition=only_moves("state", (("asked", "done"), ("asked", "failed"), ("done", "failed"))),
    ),
    Refuse(
        name="refund_reference_is_set_once",
        operation=UpdateOf("reference"),
        condition=set_once("reference"),
    ),
    Refuse(
        name="refund_tries_only_grow",
        operation=UpdateOf("tries"),
        condition=Condition("NEW.tries < OLD.tries"),
    ),
    Refuse(name="refunds_are_kept", operation=pgtrigger.Delete),
)
