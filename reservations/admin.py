"""Django looks for admin pages here; they live in `reservations.staff`."""

from reservations.staff import api_tokens, cooldowns, drop_admin, records, stock_admin

__all__ = ("api_tokens", "cooldowns", "drop_admin", "records", "stock_admin")
