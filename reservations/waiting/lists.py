"""The transaction of a waiting list. Everything that changes a list runs in `on_list`. Before it
commits, it makes the offers whose turn it is, and writes `list_needs` of each inventory row: the
fewest units that an open entry takes there."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max, Q

from allo.live import publish
from allo.live.message import MICROSECOND
from allo.outbox import services as outbox
from allo.postgresql import trips
from allo.postgresql.trips import Statement
from catalog.models import Product
from inventory import events
from inventory.models import Inventory
from reservations.engine import measured
from reservations.engine.also import Also
from reservations.engine.books import Books
from reservations.engine.commands import Command
from reservations.engine.events import holder_topic
from reservations.engine.faults import refusing_faults
from reservations.engine.locks import Patience
from reservations.engine.stock import Stock
from reservations.engine.storage import open_books, write
from reservations.engine.telling import OFFER_MADE
from reservations.exceptions import Busy
from reservations.models import Reservation, WaitingEntry, WaitingEntryQuerySet
from reservations.waiting import mail, sql

# At most in one transaction, as shoppers wait for the rows.
OFFERS_AT_ONCE = 50
# A change of a list moves all later places, and each has a page of its own: so many of these pages
# are made anew in a second, however many wait.
PAGES_PER_SECOND = 20
# For so long after its opening a product is a drop, whose offers are shorter.
DROP = timedelta(hours=24)


class OnList(Command):
    reads_prices = True


@contextmanager
def on_list(product_id: int, *, patient: bool = True) -> Iterator["LockedList"]:
    """Raises `Busy` or `Storage`; then nothing has changed. It is `patient` for a caller whom a
    person waits for. Otherwise, with several rows, it waits only briefly for each of them: callers
    wait for those that it has locked."""
    places = dict(Inventory.objects.filter(product=product_id).values_list("pk", "warehouse"))
    with refusing_faults(), _refusing_what_left_the_shop(), transaction.atomic():
        # The rows have rank 1, and are what reservations lock. The list has a lock of its own, as
        # a product may have no rows yet, or get another one now: the order in which people join
        # and are served must not depend on that.
        command = OnList(rows=tuple(places), lists=(product_id,))
        patience = Patience.FULL if patient or len(places) < 2 else Patience.BRIEF
        locked = LockedList(product_id, places, open_books([command], patience))
        yield locked
        locked.finish()


@contextmanager
def _refusing_what_left_the_shop() -> Iterator[None]:
    """W8. Staff may withdraw the product after it was read, as it is not locked. Then the database
    refuses the offers; the next try makes none."""
    try:
        yield
    except IntegrityError as error:
        if "offered_while_in_the_shop" not in str(error):
            raise
        raise Busy from error


def list_topic(product_id: int) -> str:
    """Pages that listen to it learn some time later that places on the list, or their number, have
    changed."""
    return f"list:{product_id}"


class LockedList:
    """A list that this transaction has locked, with all rows of its product."""

    def __init__(self, product_id: int, places: dict[int, int], books: Books) -> None:
        self.product_id = product_id
        self.books = books
        self.offered: list[tuple[WaitingEntry, Reservation]] = []
        # Whether those who were not looked at may fit as well.
        self.has_more = False
        self._places = places
        self._changed = False
        self._topics: list[str] = []

    def put_on(self, entry: WaitingEntry) -> None:
        """At the place that it claims, unless another entry has it; otherwise at the end."""
        others = WaitingEntry.objects.filter(product=self.product_id, confirmed_at__isnull=False)
        claimed = entry.waiting_since
        if claimed is None or others.filter(waiting_since=claimed).exists():
            entry.waiting_since = self._end_of(others)
        entry.confirmed_at = self.books.now
        entry.save(update_fields=["confirmed_at", "waiting_since"])
        self._changed = True
        self.tell(entry)

    def _end_of(self, others: WaitingEntryQuerySet) -> datetime:
        """Later than all, even if the clock was set back, as by a failover to another server."""
        last: datetime | None = others.aggregate(last=Max("waiting_since"))["last"]
        return max(self.books.now, last + MICROSECOND) if last else self.books.now

    def end(self, entries: WaitingEntryQuerySet, how: WaitingEntry.End) -> None:
        """At the time that the offers of this transaction get."""
        self._changed |= entries.update(ended_at=self.books.now, ended_as=how) > 0

    def tell(self, entry: WaitingEntry) -> None:
        """Its own pages, at once: those of the list hear of it later."""
        self._topics.append(holder_topic(entry.holder))

    def finish(self) -> None:
        self._serve()
        write(self.books, commit=False)
        outbox.put_all(mail.offer_letter(entry) for entry, _ in self.offered)
        (changed,) = trips.run([Statement(sql.NEEDS, [list(self._places)])])
        for row, needs in changed:
            self.books.stock(row).set_needs(needs)
        transaction.on_commit(self._publish, robust=True)

    def _publish(self) -> None:
        events.publish(self.books.events)
        measured.publish(self.books)
        publish(*self._topics)
        if self._changed or self.offered:
            publish(list_topic(self.product_id), per_second=PAGES_PER_SECOND)

    def _serve(self) -> None:
        """W5. Makes offers in the order of the list. An entry that needs more than is available
        keeps its place; as each offer leaves fewer units, it need not be looked at again."""
        lasts = self._offers_last() if self._something_available() else None
        entries = self._who_may_fit() if lasts else []
        for entry in entries:
            if stock := self._stock_for(entry):
                units = min(entry.quantity, stock.available)
                offer = self.books.hold(stock, units, entry.holder, "", lasts)
                self.books.after.append(
                    Also(sql.OFFERED, (entry.pk, offer.pk, offer.created_at, units))
                )
                self.offered.append((entry, offer))
                self.books.telling.tell(OFFER_MADE, offer, self.books.now)
        # Without an offer now, none comes by looking at the same ones again.
        self.has_more = bool(self.offered) and len(entries) == OFFERS_AT_ONCE

    def _something_available(self) -> bool:
        return any(stock.available for stock in self.books.stocks.values())

    def _offers_last(self) -> int | None:
        """How many seconds. W8. None if the product is withdrawn or not open yet: then nothing is
        offered."""
        product = Product.objects.published().only("opens_at").filter(pk=self.product_id).first()
        opens_at = product and product.opens_at
        if product is None or (opens_at and opens_at > self.books.now):
            return None
        in_drop = opens_at and opens_at > self.books.now - DROP
        lasts: int = settings.OFFER_TTL_IN_DROP_SECONDS if in_drop else settings.OFFER_TTL_SECONDS
        return lasts

    def _who_may_fit(self) -> list[WaitingEntry]:
        """The first entries whose needs are available before anything is offered."""
        stocks = self.books.stocks.values()
        fits = Q(warehouse=None, needs__lte=max((s.available for s in stocks), default=0))
        for stock in stocks:
            fits |= Q(warehouse=self._places[stock.id], needs__lte=stock.available)
        waiting = WaitingEntry.objects.open().filter(fits, product=self.product_id)
        return list(waiting.in_order()[:OFFERS_AT_ONCE])

    def _stock_for(self, entry: WaitingEntry) -> Stock | None:
        stocks = [
            stock
            for stock in self.books.stocks.values()
            if stock.available >= entry.needs
            and (entry.warehouse_id is None or self._places[stock.id] == entry.warehouse_id)
        ]
        return max(stocks, key=lambda stock: stock.available, default=None)
