"""A reservation as programs see it: in the API's answers, and in what webhooks get. Neither its
holder nor its network is in it."""

from datetime import UTC, datetime
from typing import Any

from reservations.models import Reservation


def facts(reservation: Reservation, product: str, warehouse: str) -> dict[str, Any]:
    """The id comes first, where `reservations.api.answers` reads it."""
    return {
        "id": str(reservation.pk),
        "status": str(reservation.status),
        "product": product,
        "name": reservation.name,
        "warehouse": warehouse,
        "quantity": reservation.quantity,
        "unit_paise": reservation.unit_paise,
        "total_paise": reservation.total_paise,
        "currency": "INR",
        "created_at": instant(reservation.created_at),
        "expires_at": instant(reservation.expires_at),
        "ended_at": reservation.ended_at and instant(reservation.ended_at),
        "ended_by": reservation.ended_by,
        "withdrawn": reservation.withdrawn or None,
        "renewals": reservation.renewals,
        "renewals_left": reservation.renewals_left,
    }


def instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
