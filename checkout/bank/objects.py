"""Rows of the books in the shapes of Stripe's objects.

`expand` has the paths of the references that are to be shown whole, such as
`["latest_charge.refunds"]`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from checkout.bank.bank import Bank
from checkout.bank.books import Row

Shape = dict[str, Any]
# How many refunds a charge shows; all of them can be listed.
REFUNDS_SHOWN = 10


def session_of(bank: Bank, row: Row, expand: Sequence[str] = ()) -> Shape:
    return {
        "id": row["id"],
        "object": "checkout.session",
        "mode": "payment",
        "livemode": False,
        "created": row["created"],
        "expires_at": row["expires_at"],
        "status": row["status"],
        "payment_status": "paid" if row["status"] == "complete" else "unpaid",
        "client_reference_id": row["reference"],
        "customer": row["customer"],
        "customer_email": row["email"] or None,
        "amount_total": row["amount"],
        "currency": row["currency"],
        "metadata": row["metadata"],
        "payment_intent": referred(
            row["intent"], expand, "payment_intent",
            lambda key, deeper: intent_of(bank, bank.books.get("intent", key), deeper),
        ),
        "success_url": row["success_url"],
        "cancel_url": row["cancel_url"],
        "url": f"{bank.url}/pay/{row['id']}" if row["status"] == "open" else None,
    }  # fmt: skip


def intent_of(bank: Bank, row: Row, expand: Sequence[str] = ()) -> Shape:
    charges = bank.books.rows("charge", intent=row["id"])
    action = {
        "type": "redirect_to_url",
        "redirect_to_url": {
            "url": f"{bank.url}/authenticate/{row['id']}", "return_url": row["return_url"]
        },
    }  # fmt: skip
    return {
        "id": row["id"],
        "object": "payment_intent",
        "livemode": False,
        "created": row["created"],
        "amount": row["amount"],
        "amount_capturable": row["amount"] if row["status"] == "requires_capture" else 0,
        "amount_received": sum(charge["captured"] for charge in charges),
        "currency": row["currency"],
        "customer": row["customer"],
        "status": row["status"],
        "capture_method": "automatic",
        "cancellation_reason": row["cancellation_reason"],
        "metadata": row["metadata"],
        "last_payment_error": {"type": "card_error", "code": row["failure"]}
        if row["failure"]
        else None,
        "latest_charge": referred(
            row["charge"], expand, "latest_charge",
            lambda key, deeper: charge_of(bank, bank.books.get("charge", key), deeper),
        ),
        "next_action": action if row["status"] == "requires_action" else None,
    }  # fmt: skip


def charge_of(bank: Bank, row: Row, expand: Sequence[str] = ()) -> Shape:
    refunds = bank.books.rows("refund", charge=row["id"])
    returned = sum(refund["amount"] for refund in refunds if refund["status"] != "failed")
    # Money of an authorisation that ended is shown as returned.
    gone = row["amount"] if row["released"] else returned
    shape = {
        "id": row["id"],
        "object": "charge",
        "livemode": False,
        "created": row["created"],
        "amount": row["amount"],
        "amount_captured": row["captured"],
        "amount_refunded": gone,
        "captured": bool(row["captured"]),
        "currency": row["currency"],
        "disputed": bool(bank.books.rows("dispute", charge=row["id"])),
        "metadata": bank.books.get("intent", row["intent"])["metadata"],
        "paid": row["status"] == "succeeded",
        "payment_intent": row["intent"],
        "payment_method_details": {"type": row["method"]},
        "refunded": gone == row["amount"],
        "status": row["status"],
    }
    if "refunds" in expand:
        shown = listed([refund_of(refund) for refund in refunds[:REFUNDS_SHOWN]], "/v1/refunds")
        shape["refunds"] = shown | {"has_more": len(refunds) > REFUNDS_SHOWN}
    return shape


def refund_of(row: Row) -> Shape:
    return {
        "id": row["id"],
        "object": "refund",
        "created": row["created"],
        "amount": row["amount"],
        "currency": row["currency"],
        "charge": row["charge"],
        "payment_intent": row["intent"],
        "metadata": row["metadata"],
        "status": row["status"],
    }


def dispute_of(row: Row) -> Shape:
    return {
        "id": row["id"],
        "object": "dispute",
        "livemode": False,
        "created": row["created"],
        "amount": row["amount"],
        "currency": row["currency"],
        "charge": row["charge"],
        "payment_intent": row["intent"],
        "metadata": {},
        "reason": "fraudulent",
        "status": "needs_response",
    }


def listed(shapes: Sequence[Shape], url: str, *, more: bool = False) -> Shape:
    return {"object": "list", "url": url, "has_more": more, "data": list(shapes)}


def referred(
    key: str | None,
    expand: Sequence[str],
    name: str,
    whole: Callable[[str, list[str]], Shape],
) -> Shape | str | None:
    if key is None or not any(path.split(".")[0] == name for path in expand):
        return key
    return whole(key, below(expand, name))


def below(expand: Iterable[str], name: str) -> list[str]:
    """`["data.a.b", "data.c"]` below `data` is `["a.b", "c"]`."""
    return [path[len(name) + 1 :] for path in expand if path.startswith(f"{name}.")]
