"""What the database enforces for orders, whoever writes to them."""

# mypy: allow-untyped-calls
# pgtrigger is only partly typed.

import pgtrigger
from pgtrigger import Condition, UpdateOf

from allo.postgresql.triggers import Refuse, RefuseUnless
from checkout.models.contact import KEPT_BY_LAW
from reservations.models.reservation_triggers import FORGOTTEN

# All moves of an order; any other is refused.
MOVES = (
    ("open", "placed"),
    ("open", "dropped"),
    ("placed", "paid"),
    ("placed", "cancelled"),
    ("paid", "packed"),
    ("paid", "cancelled"),
    ("packed", "shipped"),
    ("packed", "cancelled"),
    ("shipped", "delivered"),
)
TIMES = (
    "dropped_at", "placed_at", "paid_at", "packed_at", "shipped_at", "delivered_at", "cancelled_at",
)  # fmt: skip
ADDRESS = ("line1", "line2", "city", "region", "pin")
BUYER = ("name", "email", "phone", *ADDRESS)
# As an invoice names it.
SELLER = ("seller_name", "seller_address", "seller_gstin")
FINAL = ("dropped", "delivered", "cancelled")


def _any(template: str, columns: tuple[str, ...]) -> str:
    return "(" + " OR ".join(template.format(column) for column in columns) + ")"


def changed(*columns: str) -> Condition:
    return Condition(_any("OLD.{0} IS DISTINCT FROM NEW.{0}", columns))


def set_once(*columns: str) -> Condition:
    """A condition: one of these columns has a value and is changed."""
    return Condition(_any("(OLD.{0} IS NOT NULL AND OLD.{0} IS DISTINCT FROM NEW.{0})", columns))


def only_moves(column: str, moves: tuple[tuple[str, str], ...]) -> Condition:
    """A condition: the column changes in another way than these."""
    known = ", ".join(f"('{old}', '{new}')" for old, new in moves)
    return Condition(
        f"OLD.{column} <> NEW.{column} AND (OLD.{column}, NEW.{column}) NOT IN ({known})"
    )


def goes_with_its_order(name: str) -> RefuseUnless:
    """Parts are deleted after their order, by its trigger, and never alone."""
    return RefuseUnless(
        name=name,
        operation=pgtrigger.Delete,
        fact="NOT EXISTS (SELECT FROM checkout_order WHERE id = OLD.order_id)",
    )


def _moves_to(state: str) -> Condition:
    return Condition(f"OLD.state <> NEW.state AND NEW.state = '{state}'")


CHANGED = _any("OLD.{0} <> NEW.{0}", BUYER)
OLD = f"OLD.opened_at < now() - interval '{KEPT_BY_LAW}'"
LEFT = "OLD.account_id IS NOT NULL AND NEW.account_id IS NULL"
REPLACED = _any("(OLD.{0} <> NEW.{0} AND NEW.{0} <> '')", BUYER)

OF_ORDER = (
    Refuse(
        name="order_begins_open",
        operation=pgtrigger.Insert,
        condition=Condition("NEW.state <> 'open'"),
    ),
    Refuse(
        name="order_stays_as_made",
        operation=pgtrigger.Update,
        condition=changed(
            "id",
            "number",
            "opened_at",
            "total_paise",
            "shipping_paise",
            "shipping_gst_percent",
            "shipping_gst_paise",
            "by_program",
        ),
    ),
    Refuse(
        name="order_moves_along_its_states",
        operation=UpdateOf("state"),
        condition=only_moves("state", MOVES),
    ),
    Refuse(
        name="order_times_are_kept",
        operation=pgtrigger.Update,
        condition=set_once(*TIMES),
    ),
    RefuseUnless(
        name="placed_has_its_charge",
        operation=UpdateOf("state"),
        condition=_moves_to("placed"),
        fact="EXISTS (SELECT FROM checkout_charge WHERE order_id = NEW.id AND decision = 'take')",
    ),
    RefuseUnless(
        name="paid_is_captured_in_full",
        operation=UpdateOf("state"),
        condition=_moves_to("paid"),
        fact="EXISTS (SELECT FROM checkout_charge WHERE order_id = NEW.id AND decision = 'take'"
        " AND fact = 'captured' AND amount = NEW.total_paise AND currency = 'INR')",
    ),
    # An order whose money was captured becomes paid first, and is then cancelled with a refund.
    RefuseUnless(
        name="unpaid_is_cancelled_without_money",
        operation=UpdateOf("state"),
        condition=Condition("OLD.state = 'placed' AND NEW.state = 'cancelled'"),
        fact="EXISTS (SELECT FROM checkout_charge WHERE order_id = NEW.id AND decision = 'take'"
        " AND fact = 'void')",
    ),
    RefuseUnless(
        name="shipped_is_sent_whole",
        operation=UpdateOf("state"),
        condition=_moves_to("shipped"),
        fact="NOT EXISTS (SELECT FROM checkout_orderline"
        " WHERE order_id = NEW.id AND active AND shipped_at IS NULL AND quantity > returned_units)",
    ),
    # What is on its way cannot be put back on the shelf.
    RefuseUnless(
        name="cancelled_is_still_here",
        operation=UpdateOf("state"),
        condition=Condition("OLD.state = 'packed' AND NEW.state = 'cancelled'"),
        fact="NOT EXISTS (SELECT FROM checkout_orderline"
        " WHERE order_id = NEW.id AND shipped_at IS NOT NULL)",
    ),
    # Later it is only erased: when nothing has to be sent to it any more, or the order is old.
    Refuse(
        name="buyer_of_an_order_is_kept",
        operation=UpdateOf(*BUYER),
        condition=Condition(
            f"OLD.state <> 'open' AND ({CHANGED} AND NEW.state NOT IN {FINAL} AND NOT {OLD}"
            f" OR {REPLACED})"
        ),
    ),
    # An account may be deleted before its order is delivered, but not while that can be paid.
    Refuse(
        name="account_of_an_order_is_kept",
        operation=UpdateOf("account_id"),
        condition=Condition(f"OLD.account_id <> NEW.account_id OR ({LEFT} AND NEW.state = 'open')"),
    ),
    Refuse(
        name="holder_of_an_order_is_kept",
        operation=UpdateOf("holder"),
        condition=Condition(
            f"OLD.holder <> NEW.holder AND NOT (NEW.holder = {FORGOTTEN.format('OLD')}"
            f" AND ({OLD} OR {LEFT}))"
        ),
    ),
    Refuse(
        name="invoice_number_is_kept",
        operation=UpdateOf("invoice_number"),
        condition=set_once("invoice_number"),
    ),
    # The numbers of earlier versions may be without a seller.
    Refuse(
        name="invoice_begins_with_its_seller",
        operation=UpdateOf("invoice_number"),
        condition=Condition(
            "OLD.invoice_number IS NULL AND NEW.invoice_number IS NOT NULL"
            " AND NEW.seller_gstin = ''"
        ),
    ),
    Refuse(
        name="seller_of_an_invoice_is_kept",
        operation=UpdateOf(*SELLER),
        condition=Condition(_any("(OLD.{0} <> '' AND OLD.{0} <> NEW.{0})", SELLER)),
    ),
    pgtrigger.Trigger(
        name="lines_end_with_a_dropped_order",
        when=pgtrigger.After,
        operation=UpdateOf("state"),
        condition=_moves_to("dropped"),
        func="UPDATE checkout_orderline SET active = false WHERE order_id = NEW.id AND active;"
        " RETURN NULL;",
    ),
    RefuseUnless(
        name="orders_with_money_are_kept",
        operation=pgtrigger.Delete,
        fact="OLD.state = 'dropped'"
        " AND NOT EXISTS (SELECT FROM checkout_charge WHERE order_id = OLD.id)"
        " AND NOT EXISTS (SELECT FROM checkout_payment"
        " WHERE order_id = OLD.id AND closed_at IS NULL)",
    ),
    pgtrigger.Trigger(
        name="parts_go_with_their_order",
        when=pgtrigger.After,
        operation=pgtrigger.Delete,
        func="DELETE FROM checkout_orderline WHERE order_id = OLD.id;"
        " DELETE FROM checkout_payment WHERE order_id = OLD.id;"
        " DELETE FROM checkout_orderevent WHERE order_id = OLD.id; RETURN NULL;",
    ),
)
