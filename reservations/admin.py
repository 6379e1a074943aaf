"""Django looks for admin pages here; they live in `reservations.staff`."""

from reservations.staff import (
    api_tokens,
    cooldowns,
    drop_admin,
    records,
    stock_admin,
    waiting_entries,
    waiting_lists,
)

__all__ = (
    "api_tokens",
    "cooldowns",
    "drop_admin",
    "records",
    "stock_admin",
    "waiting_entries",
    "waiting_lists",
)
