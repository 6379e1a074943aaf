"""The kinds of events about orders that webhooks can get."""

from typing import Any

from allo.outbox.hooks.catalogue import register

PLACED: dict[str, Any] = {
    "number": "AL-7K2M-9Q4T",
    "state": "placed",
    "total_paise": 779000,
    "shipping_paise": 9000,
    "refunded_paise": 0,
    "currency": "INR",
    "placed_at": "2026-11-23T06:33:10.480000Z",
    "paid_at": None,
    "packed_at": None,
    "shipped_at": None,
    "delivered_at": None,
    "cancelled_at": None,
    "lines": [
        {
            "reservation": "7f3c5d0a-6c3e-4b7e-9a51-2f8d3f0c9b11",
            "product": "tidal",
            "name": "Tidal",
            "warehouse": "blr-01",
            "quantity": 2,
            "unit_paise": 385000,
            "total_paise": 770000,
            "shipped_at": None,
        }
    ],
}
PAID = {**PLACED, "state": "paid", "paid_at": "2026-11-23T06:33:11.020000Z"}
PACKED = {**PAID, "state": "packed", "packed_at": "2026-11-23T10:05:00.300000Z"}
SENT_AT = "2026-11-23T12:15:42.700000Z"
SENT = {
    **PACKED,
    "state": "shipped",
    "shipped_at": SENT_AT,
    "lines": [{**PLACED["lines"][0], "shipped_at": SENT_AT}],
}
DELIVERED = {**SENT, "state": "delivered", "delivered_at": "2026-11-25T08:20:00.100000Z"}
CANCELLED = {**PAID, "state": "cancelled", "cancelled_at": "2026-11-23T09:00:00.900000Z"}

for name, says, example in (
    ("order.placed", "Its units are sold, and its money is being collected.", PLACED),
    ("order.paid", "Its money is there, or it is paid on delivery.", PAID),
    ("order.packed", "Staff packed it.", PACKED),
    (
        "order.shipped",
        (
            "A parcel left, or what had not left needs none any more, as its units are on the shelf"
            " again. With the last one its state is `shipped`."
        ),
        SENT,
    ),
    ("order.delivered", "It arrived, or its buyer collected it.", DELIVERED),
    ("order.cancelled", "It was cancelled, and its units are on the shelf again.", CANCELLED),
    (
        "order.refunded",
        "Money of it was paid back, in part or whole.",
        {**CANCELLED, "refunded_paise": 779000},
    ),
):
    register(name, says, example)
