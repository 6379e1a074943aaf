"""The state of one transaction, which commands read and change."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from allo.live.events import Event
from inventory.events import StockChanged
from reservations.engine.also import Also
from reservations.engine.cooling import History
from reservations.engine.events import Happened, ReservationEvent
from reservations.engine.holder import around, places_around
from reservations.engine.idempotency import Name, Once, Outcome, Reply
from reservations.engine.stock import Stock
from reservations.engine.telling import Telling
from reservations.exceptions import IdempotencyConflict, InFlight, NotPending, ReservationExpired
from reservations.models import Reservation

Status = Reservation.Status


class Books:
    """What one transaction has locked and read, and the commands' decisions in order of arrival.

    Plain data: `reservations.engine.storage` reads and writes the database.
    """

    def __init__(self, now: datetime, stocks: Iterable[Stock]) -> None:
        self.now = now
        self.stocks = {stock.id: stock for stock in stocks}
        # Held by each network, of each row.
        self.units_at: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self.histories: defaultdict[str, History] = defaultdict(History)
        # Lately ended unpaid at each network, of each row.
        self.unpaid_at: defaultdict[str, Counter[int]] = defaultdict(Counter)
        # Held by the networks around one.
        self.units_around: Counter[str] = Counter()
        self.replies: dict[Name, tuple[bytes, Reply]] = {}
        self.keys_in_use: set[Name] = set()
        self.held: list[Reservation] = []
        self.changed: dict[UUID, Reservation] = {}
        self.adopted: dict[UUID, Reservation] = {}
        self.adopters: dict[str, str] = {}  # the account of each visitor's name
        # What each `limits.Customer` has: all names of that person, and the quantities by id.
        self.customers: dict[Hashable, tuple[set[str], dict[UUID, int]]] = {}
        # Rows of `Above`, by its name and their key (with `many`, lists of rows). Commands change
        # these lists, so that the next of the batch sees what was decided.
        self.above: dict[str, dict[Any, list[Any]]] = {}
        # Written before the reservations, so that triggers see these as they were, or after them.
        self.before: list[Also] = []
        self.after: list[Also] = []
        self.replied: list[tuple[Once, Reply, UUID | None]] = []
        self.refused: Counter[tuple[str, str]] = Counter()
        self.outcomes: Counter[tuple[str, str]] = Counter()  # by verb and word
        self.telling = Telling()
        self.happened: list[ReservationEvent] = []
        self._reservations: dict[UUID, Reservation] = {}
        self._pending: dict[str, list[Reservation]] = defaultdict(list)

    # --- what commands read -------------------------------------------------------------------

    def knows(self, reservation_id: UUID) -> bool:
        return reservation_id in self._reservations

    def stock(self, row: int) -> Stock:
        return self.stocks[row]

    def reservation(self, reservation_id: UUID | None) -> Reservation:
        """The locked reservation; raises `Reservation.DoesNotExist`."""
        if reservation_id not in self._reservations:
            raise Reservation.DoesNotExist
        return self._reservations[reservation_id]

    def live(self, reservation_id: UUID | None) -> Reservation:
        """The reservation, if it is pending and in time by the clock that was read under the lock.
        Expires what is past its time. Raises `ReservationExpired`, `NotPending`,
        `Reservation.DoesNotExist`."""
        reservation = self.reservation(reservation_id)
        if reservation.is_due(self.now):
            self.end(reservation, Status.EXPIRED)
        if reservation.status == Status.EXPIRED:
            raise ReservationExpired
        if not reservation.is_pending:
            raise NotPending(reservation.status, by_staff=bool(reservation.withdrawn))
        return reservation

    def pending_of(self, holder: str) -> list[Reservation]:
        """The holder's pending reservations, past their time or not, of all rows."""
        return [held for held in self._pending[holder] if held.is_pending]

    # --- what commands do -----------------------------------------------------------------------

    def hold(
        self, stock: Stock, quantity: int, holder: str, address: str, lasts: int | None = None
    ) -> Reservation:
        """For `lasts` seconds, or for `RESERVATION_TTL_SECONDS`."""
        reservation = Reservation(
            inventory_id=stock.id,
            quantity=quantity,
            unit_paise=stock.unit_paise,
            name=stock.name,
            holder=holder,
            address=address,
            around=around(address),
            created_at=self.now,
            expires_at=self.now + timedelta(seconds=lasts or settings.RESERVATION_TTL_SECONDS),
        )
        stock.held_now += quantity
        stock.lapse_moved = True
        self.held.append(reservation)
        self.remember(reservation)
        self._count(reservation, quantity)
        self._note(Happened.CREATED, reservation)
        return reservation

    def end(
        self, reservation: Reservation, status: Reservation.Status, *, withdrawn: str = ""
    ) -> Reservation:
        """Takes a pending reservation to a final state, and frees or sells its units."""
        stock = self.stocks[reservation.inventory_id]
        stock.held_now -= reservation.quantity
        stock.lapse_moved = True
        if status == Status.CONFIRMED:
            stock.sold_now += reservation.quantity
        if not reservation.is_due(self.now):
            self._count(reservation, -reservation.quantity)
        reservation.status = status
        reservation.ended_at = self.now
        reservation.withdrawn = withdrawn
        self.changed[reservation.id] = reservation
        self._note(Happened(status), reservation)
        return reservation

    def change(self, reservation: Reservation, quantity: int) -> Reservation:
        """Changes the quantity; `expires_at` stays."""
        more = quantity - reservation.quantity
        self.stocks[reservation.inventory_id].held_now += more
        self._count(reservation, more)
        reservation.quantity = quantity
        self.changed[reservation.id] = reservation
        self._note(Happened.CHANGED, reservation)
        return reservation

    def renew(self, reservation: Reservation) -> Reservation:
        """Starts its time anew. One that lasts longer already keeps its time and its renewals."""
        until = self.now + timedelta(seconds=settings.RESERVATION_TTL_SECONDS)
        if until > reservation.expires_at:
            reservation.renewals += 1
            self._lengthen(reservation, until)
            self._note(Happened.RENEWED, reservation)
        return reservation

    def extend(self, reservation: Reservation, by: timedelta) -> Reservation:
        self._lengthen(reservation, reservation.expires_at + by)
        self._note(Happened.EXTENDED, reservation)
        return reservation

    def pay_for(self, reservation: Reservation, window: timedelta) -> Reservation:
        """Puts it on an open order. Its first order makes it last for `window` at least."""
        if not reservation.window_given:
            self._lengthen(reservation, self.now + window)
        reservation.paying_since, reservation.window_given = self.now, True
        self.changed[reservation.id] = reservation
        self._note(Happened.PAYING, reservation)
        return reservation

    def unhold(self, reservation: Reservation) -> Reservation:
        """Takes it off a dropped order. It stays held until its time ends."""
        reservation.paying_since = None
        self.changed[reservation.id] = reservation
        self._note(Happened.NOT_PAYING, reservation)
        return reservation

    def adopt(self, reservation: Reservation, account: str) -> Reservation:
        """Makes it the account's. Its units still count towards the same network."""
        before = reservation.holder
        self._pending[before].remove(reservation)
        self._pending[account].append(reservation)
        reservation.holder = account
        self.adopted[reservation.id] = reservation
        self._note(Happened.ADOPTED, reservation, before=before)
        return reservation

    def _lengthen(self, reservation: Reservation, until: datetime) -> None:
        reservation.expires_at = max(reservation.expires_at, until)
        self.stocks[reservation.inventory_id].lapse_moved = True
        self.changed[reservation.id] = reservation

    def _count(self, reservation: Reservation, units: int) -> None:
        if reservation.address:
            self.units_at[reservation.address][reservation.inventory_id] += units
        self.count_around(reservation.address, units)

    def count_around(self, address: str, units: int) -> None:
        for place in places_around(address):
            self.units_around[place] += units

    def _note(self, happened: Happened, of: Reservation, *, before: str = "") -> None:
        self.happened.append(ReservationEvent(happened, of.id, of.holder, self.now, before))
        self.telling.note(happened, of, self.now)

    @property
    def events(self) -> list[Event]:
        """The events of this transaction, to be published after its commit."""
        changed = (stock for stock in self.stocks.values() if stock.shows)
        return [*(self._stock_changed(stock) for stock in changed), *self.happened]

    def _stock_changed(self, stock: Stock) -> StockChanged:
        total, reserved = stock.total - stock.sold_now, stock.reserved + stock.held_now
        return StockChanged(stock.id, stock.product, total, reserved, self.now, stock.list_needs)

    # --- replies stored under a key -------------------------------------------------------------

    def reply_before(self, once: Once) -> Reply | None:
        """The stored reply, None without one. Raises `InFlight`, `IdempotencyConflict`."""
        if once.name in self.keys_in_use:
            raise InFlight
        if not (before := self.replies.get(once.name)):
            return None
        request_hash, reply = before
        if request_hash != once.request_hash:
            raise IdempotencyConflict
        return reply

    def keep_reply(self, once: Once, outcome: Outcome) -> Reply:
        reply = once.render(outcome)
        again = Reply(reply.status, reply.body, replayed=True)
        self.replies[once.name] = (once.request_hash, again)
        reservation_id = outcome.id if isinstance(outcome, Reservation) else None
        self.replied.append((once, reply, reservation_id))
        return reply

    def remember(self, reservation: Reservation) -> Reservation:
        """The same object for the same reservation, from whichever query it came."""
        known = self._reservations.setdefault(reservation.id, reservation)
        if known is reservation:
            self._pending[reservation.holder].append(reservation)
        return known
