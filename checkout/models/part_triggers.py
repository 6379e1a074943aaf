"""What the database enforces for the lines and events of orders, whoever writes to them."""

# mypy: allow-untyped-calls
# pgtrigger is only partly typed.

import pgtrigger
from pgtrigger import UpdateOf

from allo.postgresql.triggers import Refuse, RefuseUnless
from checkout.models.order_triggers import changed, goes_with_its_order, set_once

OF_LINE = (
    RefuseUnless(
        name="line_is_as_it_was_held",
        operation=pgtrigger.Insert,
        fact="EXISTS (SELECT FROM reservations_reservation WHERE id = NEW.reservation_id"
        " AND status = 'pending' AND name = NEW.name AND unit_paise = NEW.unit_paise"
        " AND quantity = NEW.quantity)",
    ),
    RefuseUnless(
        name="line_is_of_an_open_order",
        operation=pgtrigger.Insert,
        fact="NEW.active"
        " AND EXISTS (SELECT FROM checkout_order WHERE id = NEW.order_id AND state = 'open')",
    ),
    Refuse(
        name="line_stays_as_made",
        operation=pgtrigger.Update,
        condition=changed(
            "id",
            "order_id",
            "reservation_id",
            "name",
            "unit_paise",
            "quantity",
            "gst_percent",
            "gst_paise",
        ),
    ),
    RefuseUnless(
        name="line_ends_with_its_order",
        operation=UpdateOf("active"),
        condition=changed("active"),
        fact="NOT NEW.active"
        " AND EXISTS (SELECT FROM checkout_order WHERE id = NEW.order_id AND state = 'dropped')",
    ),
    Refuse(
        name="line_is_sent_once", operation=UpdateOf("shipped_at"), condition=set_once("shipped_at")
    ),
    RefuseUnless(
        name="sent_line_is_packed",
        operation=UpdateOf("shipped_at"),
        condition=changed("shipped_at"),
        fact="EXISTS (SELECT FROM checkout_order WHERE id = NEW.order_id AND state = 'packed')",
    ),
    RefuseUnless(
        name="returned_units_were_refunded",
        operation=UpdateOf("returned_units"),
        condition=changed("returned_units"),
        fact="NEW.returned_units > OLD.returned_units AND NEW.returned_units <="
        " (SELECT coalesce(sum(units), 0) FROM checkout_refund"
        " WHERE line_id = NEW.id AND state IN ('asked', 'done'))",
    ),
    goes_with_its_order("line_goes_with_its_order"),
)

OF_EVENT = (
    Refuse(name="order_events_are_kept", operation=pgtrigger.Update),
    goes_with_its_order("order_event_goes_with_its_order"),
)
