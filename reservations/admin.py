"""Django looks for admin pages here; they live in `reservations.staff`."""

from reservations.staff import account_admin, api_tokens, records, stock_admin

__all__ = ("account_admin", "api_tokens", "records", "stock_admin")
