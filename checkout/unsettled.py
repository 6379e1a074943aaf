"""Money that is not where it belongs 15 minutes after it moved, so that staff have to look."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Coalesce, Now

from checkout.models import Charge, Order, Refund

LATE = timedelta(minutes=15)
# How far back disputes and failed refunds are looked for, as their number grows for ever.
RECENT = timedelta(days=90)
MOST = 1000


@dataclass(frozen=True, slots=True)
class Unsettled:
    """How many of each, up to `MOST`."""

    charges: int
    asked: int
    failed: int
    disputed: int
    wrong: int

    @property
    def late(self) -> int:
        """What should have ended by itself by now."""
        return self.charges + self.asked + self.failed


def unsettled() -> Unsettled:
    return Unsettled(
        _few(late_charges()),
        _few(late_refunds()),
        _few(failed_refunds()),
        _few(disputed_charges()),
        _few(wrong_charges()),
    )


def late_charges() -> QuerySet[Charge]:
    return Charge.objects.filter(settled_at=None, created_at__lt=Now() - LATE)


def disputed_charges() -> QuerySet[Charge]:
    return Charge.objects.filter(disputed_at__gt=Now() - RECENT)


def wrong_charges() -> QuerySet[Charge]:
    """Paid in another amount or currency than was asked for. The money goes back by itself, but
    either the payment page has a fault, or somebody is cheating."""
    back = Charge.objects.filter(decision=Charge.Decision.GIVE_BACK, created_at__gt=Now() - RECENT)
    return back.filter(~Q(amount=F("order__total_paise")) | ~Q(currency="INR"))


def late_refunds() -> QuerySet[Refund]:
    return Refund.objects.filter(state=Refund.State.ASKED, created_at__lt=Now() - LATE)


def failed_refunds() -> QuerySet[Refund]:
    """Failed refunds that nobody has tried again: of the same line, if it was for one, and of as
    much. What was cancelled is not a retry of a part: there, all the money has to be back."""
    line = Coalesce(Cast("line_id", TextField()), Value("", TextField()))
    again = Q(charge=OuterRef("charge"), created_at__gt=OuterRef("created_at"))
    again &= Q(of=OuterRef("of"), amount__gte=OuterRef("amount"))
    later = Refund.objects.alias(of=line).filter(again).exclude(state=Refund.State.FAILED)
    recent = Refund.objects.filter(state=Refund.State.FAILED, created_at__gt=Now() - RECENT)
    left = recent.exclude(charge__refunded_paise=F("charge__amount"))
    cancelled = Q(charge__order__state=Order.State.CANCELLED)
    return left.alias(of=line).filter(cancelled | ~Exists(later))


def _few(rows: QuerySet[Any]) -> int:
    return rows.order_by()[:MOST].count()
