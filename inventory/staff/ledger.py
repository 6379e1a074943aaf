"""The ledger with a running balance: the total after each line."""

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.db.models import F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from inventory.models import Inventory, StockMovement


def account_of(asked: Any) -> int | None:
    """The one row whose whole ledger is requested; else None."""
    row = asked.get("row", "")
    alone = not asked.keys() - {"row", "p"}
    return int(row) if alone and row.isdecimal() and len(row) < 19 else None


class Ledger(ChangeList):
    """Adds `balance` to each line if the list shows one inventory row."""

    result_list: Any

    def get_ordering(self, request: HttpRequest, queryset: Any) -> list[Any]:
        """Newest first: any other order would sort the whole ledger."""
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        row = account_of(request.GET)
        if row is not None:
            self.result_list = with_balances(row, list(self.result_list))


def with_balances(row: int, lines: list[StockMovement]) -> list[StockMovement]:
    """Successive lines of a row, newest first, with their `balance`, computed backwards from the
    current total, so that only newer lines have to be summed."""
    if not lines:
        return lines
    newer = StockMovement.objects.filter(inventory=OuterRef("pk"), pk__gt=lines[0].pk)
    sums = newer.order_by().values("inventory").annotate(units=Sum("delta")).values("units")
    # In one statement: a sale between two statements would be in only one of them.
    balance = (
        Inventory.objects.annotate(balance=F("total_units") - Coalesce(Subquery(sums), 0))
        .values_list("balance", flat=True)
        .get(pk=row)
    )
    for line in lines:
        line.balance = balance
        balance -= line.delta
    return lines
