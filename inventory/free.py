"""Units that are free, and for whom. While a row has as many as somebody on the waiting list takes
there (`Inventory.list_needs`), they are for the list and for nobody else."""

from django.db.models import Case, F, Q, Value, When

AVAILABLE = F("total_units") - F("reserved_units")
FOR_LIST = Q(list_needs__gt=0, total_units__gte=F("reserved_units") + F("list_needs"))
# How many units everybody can reserve.
FREE = Case(When(FOR_LIST, then=Value(0)), default=AVAILABLE)


def is_for_list(available: int, list_needs: int) -> bool:
    """`FOR_LIST`, for numbers that were read."""
    return available >= list_needs > 0
