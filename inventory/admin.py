"""Django looks for admin pages here; they live in `inventory.staff`."""

from inventory.staff import (
    import_admin,
    ledger_admin,
    product_admin,
    stock_admin,
    warehouse_admin,
)

__all__ = ("import_admin", "ledger_admin", "product_admin", "stock_admin", "warehouse_admin")
