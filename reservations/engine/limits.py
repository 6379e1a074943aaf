"""The limits on what one may hold, which `Reserve` checks, and `Change` for more units. Plain code,
as `reservations.engine.commands`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from django.conf import settings

from reservations.engine.books import Books
from reservations.engine.cooling import cooling, share_left
from reservations.engine.holder import Holder, places_around
from reservations.engine.stock import Stock
from reservations.exceptions import CoolingDown, LimitReached
from reservations.models import Reservation

# The smallest share, for products with few units.
LEAST_SHARE = 2
GONE = (Reservation.Status.RELEASED, Reservation.Status.EXPIRED)


class Units(NamedTuple):
    """`quantity` in one reservation, of which `more` are new. Any row of the product tells its
    limits."""

    quantity: int
    more: int
    stock: Stock


@dataclass(frozen=True, slots=True)
class Customer:
    """A person, by the names of holders, and a product, by its inventory rows."""

    names: frozenset[str]
    rows: tuple[int, ...]


class Uncounted(Exception):
    """What a customer has of a product was not read yet: few products have such a limit."""

    def __init__(self, customer: Customer) -> None:
        super().__init__(customer.rows)
        self.customer = customer


def check(limit: str, wanted: int, maximum: int) -> None:
    """Raises `LimitReached`; 0 is no limit."""
    if maximum and wanted > maximum:
        raise LimitReached(limit, maximum)


def network_of(books: Books, holder: Holder) -> str:
    """The network that its units count towards; "" for those who have bought something, whom the
    limits of a network do not bind. An account alone is not enough: it is made in a moment."""
    known = any(books.histories[name].bought for name in holder.names)
    return "" if known and not holder.is_merchant else holder.network


def check_units(books: Books, holder: Holder, wanted: Units) -> None:
    """Raises `LimitReached`, `CoolingDown`, or `Uncounted`: then what the customer has is read, and
    the command decides again."""
    name = "RESERVATION_MAX_UNITS_PER_ADDRESS" if holder.cap is None else "max_units"
    check("RESERVATION_MAX_UNITS", wanted.quantity, settings.RESERVATION_MAX_UNITS)
    if holder.is_list:
        # An offer lasts longer than a hold and counts at no network, so it is for what was offered.
        check("offer", wanted.quantity, wanted.quantity - wanted.more)
    network = network_of(books, holder)
    if network:
        check(name, books.units_at[network].total() + wanted.more, holder.most)
        _check_around(books, holder, wanted.more)
    if not holder.is_merchant:
        _check_cool(books, holder, wanted.stock)
    if holder.has_share:
        _check_share(books, holder, wanted)
    if network and holder.has_share:
        _check_share_of(books, network, wanted)
    if most := wanted.stock.max_per_customer:
        names = _with_adopted(books, holder.names).union(holder.offers)
        customer = Customer(names, tuple(sorted(wanted.stock.rows_everywhere)))
        check_customer(books, customer, wanted.more, most)


def check_customer(books: Books, customer: Customer, more: int, most: int) -> None:
    """Raises `LimitReached`, or `Uncounted`."""
    check("max_per_customer", _units(books, customer) + more, most)


def _check_around(books: Books, holder: Holder, more: int) -> None:
    """Not exactly: what is being held at the same moment elsewhere is not seen. So an owner of many
    networks holds little more than the owner of one."""
    if holder.around:
        factors = settings.RESERVATION_AROUND_FACTORS
        for place, factor in zip(places_around(holder.network), factors, strict=False):
            check("networks_around", books.units_around[place] + more, factor * holder.most)


def share_of(total: int) -> int:
    """Of a product with so many units in all, how many one shopper may hold unpaid; 0 is no
    limit."""
    percent: int = settings.RESERVATION_MAX_SHARE
    return max(total * percent // 100, LEAST_SHARE) if percent else 0


def _check_share(books: Books, holder: Holder, wanted: Units) -> None:
    stock = wanted.stock
    most = share_of(stock.total_everywhere)
    held = [held for name in holder.names for held in books.pending_of(name)]
    mine = sum(
        each.quantity
        for each in held
        if each.inventory_id in stock.rows_everywhere and not each.is_due(books.now)
    )
    check("RESERVATION_MAX_SHARE", mine + wanted.more, most)


def _check_share_of(books: Books, network: str, wanted: Units) -> None:
    """A network is never shut out, as thousands of people may share a provider's address. Holds
    there that ended unpaid reduce its share."""
    rows = wanted.stock.rows_everywhere
    units, unpaid = books.units_at[network], books.unpaid_at[network]
    most = share_left(share_of(wanted.stock.total_everywhere), sum(unpaid[row] for row in rows))
    check("network_share", sum(units[row] for row in rows) + wanted.more, most)


def _check_cool(books: Books, holder: Holder, stock: Stock) -> None:
    histories = [books.histories[name] for name in holder.names]
    if found := cooling(histories, stock.rows_everywhere, books.now):
        raise CoolingDown(found.unpaid, found.until)


def _with_adopted(books: Books, names: Iterable[str]) -> frozenset[str]:
    """With the browsers that earlier commands of this batch have adopted, which is not written
    yet."""
    known = frozenset(names)
    return known | {browser for browser, account in books.adopters.items() if account in known}


def _units(books: Books, customer: Customer) -> int:
    """Held or bought: what was read, and how earlier commands of this batch have changed it."""
    if customer not in books.customers:
        raise Uncounted(customer)
    names, found = books.customers[customer]
    units: dict[UUID, int] = dict(found)
    for held in (*books.held, *books.adopted.values()):
        if held.holder in names and held.inventory_id in customer.rows:
            units[held.id] = held.quantity
    for pk in [pk for pk in units if books.knows(pk)]:
        now = books.reservation(pk)
        units[pk] = 0 if now.status in GONE else now.quantity
    return sum(units.values())
