"""Django looks for admin pages here; they live in `inventory.staff`."""

from inventory.staff import stock_admin

__all__ = ("stock_admin",)
