"""Django looks for admin pages here; they live in `checkout.staff`."""

from checkout.staff import contacts_admin, reservations_admin

__all__ = ("contacts_admin", "reservations_admin")
