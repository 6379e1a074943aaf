"""A program's request to pay for a reservation."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from uuid import UUID

from allo.api_kit.fresh import encode
from checkout import paying
from checkout.models import Payment
from checkout.orders.drafts import Buyer, Draft, Pages
from checkout.payments.providers import provider
from reservations.api import answers
from reservations.api.acting import once_about
from reservations.api.callers import Browser
from reservations.api.guard import ApiRequest
from reservations.engine.idempotency import Once, Outcome, Reply
from reservations.exceptions import ReservationError
from reservations.models import Reservation


@dataclass(frozen=True)
class Confirming:
    """`said` is the body of the request."""

    request: ApiRequest
    found: Reservation
    method: str | None
    buyer: Buyer
    said: dict[str, Any]

    @cached_property
    def once(self) -> Once | None:
        return once_about(self.request, self.found, "confirm", self.said, _storing(None))

    def once_for(self, payment: UUID) -> Once | None:
        """A key under which this payment is stored, or the refusal to make it."""
        return self.once and replace(self.once, render=_storing(payment))

    def method_for(self, payment: Payment) -> str | None:
        """None if the buyer has to pay on the provider's page."""
        return provider(payment.provider).plain_method if self.method is None else self.method

    def draft(self) -> Draft:
        """The draft of the order."""
        user = self.request.user
        paid, back = (paying.page(self.request, name) for name in ("paid", "order"))
        account = isinstance(self.request.auth, Browser) and user.is_authenticated
        return paying.drafted(
            [self.found],
            self.buyer,
            Pages(paid=paid, back=back),
            account_id=user.pk if account else None,
            by_program=True,
        )


def _storing(payment: UUID | None) -> answers.Render:
    def render(outcome: Outcome) -> Reply:
        if isinstance(outcome, ReservationError):
            return answers.refused(outcome)
        return Reply(200, encode({"payment": str(payment)}))

    return render
