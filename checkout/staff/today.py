"""Orders on the front page: what is to be done, and what was sold today."""

from typing import Any

from django.db.models import Count, Min, Q
from django.utils import timezone

from checkout import sales
from checkout.models import Order

State = Order.State
LISTED = 8


def orders() -> dict[str, Any]:
    today = timezone.localdate()
    sold = sales.by_product(sales.lines_of(today, today))
    units, paise, _ = sales.total(sold)
    return {
        "orders": _to_do(),
        "sold": {"units": units, "paise": paise, "rows": sold[:LISTED], "all": len(sold)},
    }


def _to_do() -> dict[str, Any]:
    """How many are to be packed and to be sent, and when the oldest of each was paid."""
    pack, send = Q(state=State.PAID), Q(state=State.PACKED)
    return Order.objects.filter(state__in=(State.PAID, State.PACKED)).aggregate(
        pack=Count("pk", filter=pack),
        send=Count("pk", filter=send),
        oldest_to_pack=Min("paid_at", filter=pack),
        oldest_to_send=Min("paid_at", filter=send),
    )
