"""What a provider of payments does for the shop, in plain data.

Amounts are in paise. A reference is the provider's own id: `session_ref` of the page on which the
shopper pays, `reference` of the money that then appears. Every call is bounded in time, and every
call that moves money may be repeated, as a process can die before the answer comes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class ProviderError(Exception):
    """The provider did not do what was asked for."""


class Unreachable(ProviderError):
    """No answer in time, or none about the payment. It may have been done or not: look, or repeat
    the call, later."""


class TooMany(Unreachable):
    """The provider limits our calls; it did nothing."""


class Refused(ProviderError):
    """Final: a repetition is refused as well. For example, an authorisation that lapsed cannot be
    captured."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class MethodRefused(Refused):
    """It cannot pay by this method: unknown, or none for this amount. Nothing was tried."""


class Declined(ProviderError):
    """The buyer's bank refused to pay."""


class AuthenticationNeeded(ProviderError):
    """The buyer has to approve the payment at `url`. Look at `reference` afterwards."""

    def __init__(self, url: str, reference: str) -> None:
        super().__init__("The buyer's bank wants to authenticate the buyer.")
        self.url = url
        self.reference = reference


class BadHook(ProviderError):
    """A message that the provider did not send, or not lately."""


class Fact(StrEnum):
    """What has become of money. It is secured when authorised or captured."""

    AUTHORISED = "authorised"
    CAPTURED = "captured"
    VOID = "void"


class SessionState(StrEnum):
    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"


class RefundState(StrEnum):
    ASKED = "asked"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    name: str
    unit_paise: int
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """Made only from what is stored of a payment, so a repeated call never differs. `payment_id` is
    the idempotency key. `begins_at` is when the payment was made, `expires_at` when the shop closes
    it."""

    payment_id: UUID
    order_number: str
    items: tuple[Item, ...]
    shipping_paise: int
    email: str
    success_url: str
    cancel_url: str
    begins_at: datetime
    expires_at: datetime

    @property
    def total_paise(self) -> int:
        return sum(item.unit_paise * item.quantity for item in self.items) + self.shipping_paise


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    reference: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundSeen:
    """A refund as the provider has it. `refund_id` is None if it was not made by the shop."""

    reference: str
    refund_id: UUID | None
    amount: int
    state: RefundState


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """`amount` is what was captured, or what was authorised; `currency` is in capitals."""

    reference: str
    amount: int
    currency: str
    fact: Fact
    refunds: tuple[RefundSeen, ...]
    disputed_at: datetime | None

    @property
    def left(self) -> int:
        """What is not refunded."""
        return self.amount - sum(
            refund.amount for refund in self.refunds if refund.state is not RefundState.FAILED
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    session: SessionState
    money: tuple[Money, ...]

    def now(self, changed: Iterable[Money]) -> "Seen":
        """A copy, with money that has changed since."""
        known = {money.reference: money for money in (*self.money, *changed)}
        return replace(self, money=tuple(known.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """What a webhook is about: a payment, or money by its reference. Empty if it is not about the
    shop."""

    payment_id: UUID | None = None
    reference: str = ""


class Provider(Protocol):
    """Every method may raise a `ProviderError`, and nothing else."""

    @property
    def name(self) -> str: ...

    @property
    def origin(self) -> str:
        """The origin of its payment page, for the security policy of pages with links to it; "" if
        it has no page."""
        ...

    @property
    def plain_method(self) -> str | None:
        """The method for a program that names none. None if the buyer has to pay on the page, "" if
        there are no methods."""
        ...

    def open(self, invitation: Invitation) -> Session: ...

    def look(self, payment_id: UUID, session_ref: str) -> Seen:
        """All money of this payment, in the order in which it appeared."""
        ...

    def close_lets_money_go(self, session_ref: str) -> bool:
        """Whether `close` may end an authorisation that is made at that moment."""
        ...

    def close(self, session_ref: str) -> None:
        """From now on nobody can begin to pay. What is complete or expired stays as it is."""
        ...

    def capture(self, reference: str, amount: int) -> Money:
        """Takes what was authorised, once however often it is called; returns what was taken."""
        ...

    def void(self, reference: str) -> None:
        """Ends an authorisation."""
        ...

    def refund(self, reference: str, refund_id: UUID, amount: int) -> RefundSeen:
        """Makes one refund for each `refund_id`, however often and however late it is called. The
        one that was made may have failed meanwhile; another try needs another id."""
        ...

    def prepare(self, invitation: Invitation) -> Session:
        """For programs: what `pay` pays without a page. Nobody can pay it before that, so it can be
        stored before any money moves."""
        ...

    def pay(self, session_ref: str, invitation: Invitation, payment_method: str) -> None:
        """Tries once to pay what was prepared. A repetition returns the same outcome, whatever the
        method. Raises `Declined`, `AuthenticationNeeded`, `MethodRefused`; `Refused` if it was
        closed before."""
        ...

    def hint(self, body: bytes, signature: str) -> Hint:
        """Calls nobody. Raises `BadHook` unless the provider signed it within the last minutes."""
        ...
