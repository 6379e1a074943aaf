"""Commands about orders that the engine runs under its locks: opening, dropping, and selling for
money that is secured. They are plain code, like `reservations.engine.commands`."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings

from checkout.exceptions import OrderedAlready, Overtaken
from checkout.models import Charge, Order
from checkout.orders import statements
from checkout.orders.drafts import Draft
from checkout.payments.base import Money
from reservations.engine import bags, limits
from reservations.engine.also import Also
from reservations.engine.books import Books
from reservations.engine.commands import Command
from reservations.engine.idempotency import Bag
from reservations.engine.limits import Customer
from reservations.exceptions import BeingPaid, LimitReached
from reservations.models import Reservation

State = Order.State


@dataclass(frozen=True, slots=True)
class Hold:
    """A reservation that is to be ordered or paid for, as the page showed it."""

    id: UUID
    quantity: int
    unit_paise: int


@dataclass(frozen=True, slots=True)
class OpenBefore:
    """An order that is open, and the reservations on its lines."""

    order_id: UUID
    holds: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer that is to be ordered, of a product of which a customer may have `most`. It was made
    to an address: what else the customer has is known only now."""

    id: UUID
    customer: Customer
    most: int

    def check(self, books: Books) -> None:
        try:
            limits.check_customer(books, self.customer, 0, self.most)
        except LimitReached as refusal:
            refusal.hold = self.id
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder(Command):
    """Order `holds`, which from now on last for the time to pay. The open orders in `replaces`,
    which contain some of them, are dropped in the same transaction, and `also` is written in it."""

    draft: Draft
    holds: tuple[Hold, ...]
    offers: tuple[Offer, ...] = ()
    replaces: tuple[OpenBefore, ...] = ()
    also: tuple[Also, ...] = ()

    def decide(self, books: Books) -> Bag:
        """A hold on an order that was opened meanwhile is refused as `BeingPaid`."""
        for offer in self.offers:
            offer.check(books)
        replaced = [before for before in self.replaces if self._is_open(books, before)]
        held = bags.pay_for(
            books,
            [(hold.id, hold.quantity, hold.unit_paise) for hold in self.holds],
            timedelta(seconds=settings.PAYMENT_WINDOW_SECONDS),
            instead_of={hold for before in replaced for hold in before.holds},
        )
        for before in replaced:
            _drop(books, before)
        books.before += self.also
        self._write(books, held)
        return Bag(tuple(held), self.draft.order_id)

    def _write(self, books: Books, held: list[Reservation]) -> None:
        books.after += self.draft.rows(books.now, held)

    def _is_open(self, books: Books, before: OpenBefore) -> bool:
        state = statements.row_of(books, before.order_id).state
        if state not in (State.OPEN, State.DROPPED):
            raise OrderedAlready(before.order_id)
        return state == State.OPEN


class OrderOnDelivery(OpenOrder):
    """`OpenOrder`, sold in the same transaction: there is no payment to wait for."""

    __slots__ = ()

    def _write(self, books: Books, held: list[Reservation]) -> None:
        # Triggers want lines of pending holds, and a taken charge of sold ones.
        books.before += self.draft.rows(books.now, held)
        bags.sell_all(books, [(hold.id, hold.quantity) for hold in held])
        books.after.append(self.draft.charge(held))
        statements.tell_placed(books, self.draft.order_id)


class OrderByProgram(OpenOrder):
    """`OpenOrder` under a program's key. An order that another request opened meanwhile may still
    be dropped, so the refusal is not stored under the key."""

    __slots__ = ()

    def decide(self, books: Books) -> Bag:
        try:
            return OpenOrder.decide(self, books)
        except BeingPaid as refusal:
            raise Overtaken from refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class PayAgain(Command):
    """Make another payment of an open order: `payment_id`, in place of `before`, which is closed at
    its provider, or was never opened there."""

    order_id: UUID
    payment_id: UUID
    before: UUID
    provider: str
    pages: tuple[str, str]

    def decide(self, books: Books) -> Bag:
        """Raises `Overtaken` if the order's payments are not as they were."""
        holds = [books.live(hold) for hold in self.reservation_ids]
        if statements.row_of(books, self.order_id).state != State.OPEN:
            raise Overtaken
        self._close_before(books)
        ends_at = min(hold.expires_at for hold in holds)
        row = (
            self.payment_id, self.order_id, self.provider, ends_at, books.now, *self.pages
        )  # fmt: skip
        books.after.append(Also(statements.PAYMENT, row, rank=6))
        books.above[statements.UNCLOSED][self.order_id] = [[self.order_id, self.payment_id]]
        return Bag(tuple(holds), self.order_id)

    def _close_before(self, books: Books) -> None:
        unclosed = [pk for _, pk in books.above[statements.UNCLOSED][self.order_id]]
        if not unclosed:
            return
        session_ref = books.above[statements.PAYMENTS][self.before][1]
        # A payment with a session is closed at the provider first.
        if unclosed != [self.before] or session_ref is not None:
            raise Overtaken
        books.before.append(Also(statements.CLOSED, (self.before,), rank=5))


@dataclass(frozen=True, slots=True, kw_only=True)
class DropOrder(Command):
    """End an open order without a sale. Its live holds stay held, and can be ordered again. With
    `if_dead` only if one of its holds has ended."""

    order: OpenBefore
    if_dead: bool = False

    def decide(self, books: Books) -> Bag:
        holds = [books.reservation(hold) for hold in self.order.holds]
        dead = any(not hold.is_pending or hold.is_due(books.now) for hold in holds)
        is_open = statements.row_of(books, self.order.order_id).state == State.OPEN
        if is_open and (dead or not self.if_dead):
            bags.unhold(books, self.order.holds)
            _drop(books, self.order)
        return Bag(tuple(holds), self.order.order_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decide(Command):
    """Decide about money that was found: take it for the whole order, or give it back.

    The first charge that is right is taken, if every hold is live and has its line's quantity: then
    all are sold. All other money is given back: it came late, a second time, in a wrong amount, for
    a payment that was given up, or was already refunded at the provider.
    """

    order_id: UUID
    payment_id: UUID
    provider: str
    lines: tuple[tuple[UUID, int], ...]
    money: tuple[Money, ...]

    def decide(self, books: Books) -> Bag:
        known = {reference for _, reference in books.above[statements.CHARGES][self.order_id]}
        for money in self.money:
            if money.reference not in known:
                decision = self._decision(books, money)
                books.above[statements.CHARGES][self.order_id].append(
                    [self.order_id, money.reference]
                )
                books.after.append(self._charge(money, decision))
        return Bag(tuple(books.reservation(hold) for hold, _ in self.lines), self.order_id)

    def _decision(self, books: Books, money: Money) -> Charge.Decision:
        order = statements.row_of(books, self.order_id)
        given_up = books.above[statements.GIVEN_UP][self.payment_id][1]
        right = not given_up and money.left == order.total_paise and money.currency == "INR"
        if order.state == State.OPEN and right and bags.sell_all(books, self.lines):
            order.state = State.PLACED
            statements.tell_placed(books, self.order_id)
            return Charge.Decision.TAKE
        return Charge.Decision.GIVE_BACK

    def _charge(self, money: Money, decision: Charge.Decision) -> Also:
        row = (
            self.order_id, self.payment_id, self.provider, money.reference, money.amount,
            money.currency, money.fact, decision,
        )  # fmt: skip
        return Also(statements.CHARGE, row, rank=6)


def _drop(books: Books, order: OpenBefore) -> None:
    statements.row_of(books, order.order_id).state = State.DROPPED
    books.before += [Also(drop, (order.order_id,), rank) for rank, drop in statements.DROPPED]
