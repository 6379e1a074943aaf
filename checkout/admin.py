"""Django looks for admin pages here; they live in `checkout.staff`."""

from checkout.staff import contacts_admin, money_admin, orders_admin, reservations_admin

__all__ = ("contacts_admin", "money_admin", "orders_admin", "reservations_admin")
