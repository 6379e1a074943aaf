"""Warehouses, stock and its ledger. `total_units` and `reserved_units` change only under the row's
lock: see `inventory.locks`."""

from inventory.models.imports import StockImport, StockImportFile, StockImportRow
from inventory.models.ledger import StockMovement
from inventory.models.low_stock import LowStock
from inventory.models.stock import Inventory, InventoryQuerySet
from inventory.models.warehouse import Warehouse

__all__ = [
    "Inventory",
    "InventoryQuerySet",
    "LowStock",
    "StockImport",
    "StockImportFile",
    "StockImportRow",
    "StockMovement",
    "Warehouse",
]
