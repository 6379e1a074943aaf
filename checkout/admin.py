"""Django looks for admin pages here; they live in `checkout.staff`."""

from checkout.staff import (
    contacts_admin,
    money_admin,
    order_parts_admin,
    orders_admin,
    reservations_admin,
)
from checkout.tasks import audit_money
from reservations.staff import records

__all__ = (
    "contacts_admin",
    "money_admin",
    "order_parts_admin",
    "orders_admin",
    "reservations_admin",
)

records.audits.append(audit_money)
