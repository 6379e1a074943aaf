"""What webhooks can hear of reservations."""

from typing import Any

from allo.outbox.hooks.catalogue import register, register_reader
from reservations.engine import telling

HELD: dict[str, Any] = {
    "id": "7f3c5d0a-6c3e-4b7e-9a51-2f8d3f0c9b11",
    "status": "pending",
    "product": "tidal",
    "name": "Tidal",
    "warehouse": "blr-01",
    "quantity": 2,
    "unit_paise": 385000,
    "total_paise": 770000,
    "currency": "INR",
    "created_at": "2026-11-23T06:30:00.120000Z",
    "expires_at": "2026-11-23T06:40:00.120000Z",
    "ended_at": None,
    "ended_by": None,
    "withdrawn": None,
    "renewals": 0,
    "renewals_left": 2,
}
CHANGED = {**HELD, "quantity": 3, "total_paise": 1155000}
RENEWED = {
    **HELD, "expires_at": "2026-11-23T06:48:00.500000Z", "renewals": 1, "renewals_left": 1,
}  # fmt: skip
ENDED = {**HELD, "ended_at": "2026-11-23T06:33:10.480000Z", "ended_by": "holder"}
EXPIRED = {**HELD, "ended_at": "2026-11-23T06:40:07.310000Z", "ended_by": "clock"}

for name, says, example in (
    ("reservation.created", "Units are held.", HELD),
    (
        "reservation.changed",
        "Its quantity was changed, staff extended it, or its payment began.",
        CHANGED,
    ),
    ("reservation.renewed", "Its time began anew.", RENEWED),
    ("reservation.confirmed", "Its units are sold.", {**ENDED, "status": "confirmed"}),
    (
        "reservation.released",
        "Its units are free again: its holder gave them back, or staff withdrew it.",
        {**ENDED, "status": "released"},
    ),
    (
        "reservation.expired",
        "Its time passed, and its units are free again.",
        {**EXPIRED, "status": "expired"},
    ),
    (
        "offer.made",
        "Somebody on the waiting list is offered what became free: this reservation keeps it.",
        {**HELD, "id": "0d1f0a1c-2c55-4f0b-8f43-5d0c5e8c6f10"},
    ),
):
    register(name, says, example)
register_reader(telling.TOLD_BY, telling.read)
