"""Orders of the tests' own: one table of orders, one of charges, and the commands on them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import connection

from reservations.engine import bags
from reservations.engine.also import Also
from reservations.engine.books import Books
from reservations.engine.commands import Command
from reservations.engine.idempotency import Bag
from reservations.engine.locks import Above
from reservations.models import Reservation
from tests.reservations.test_verbs import hold
from tests.stock import stocked

TABLES = """
    CREATE TABLE test_order (id int PRIMARY KEY, state text NOT NULL DEFAULT 'open');
    CREATE TABLE test_charge (order_id int REFERENCES test_order,
                              amount int CONSTRAINT charge_is_more_than_nothing CHECK (amount > 0));
    CREATE TABLE test_note (note text);
    INSERT INTO test_order (id) SELECT generate_series(1, 9)
"""
ORDERS = "SELECT id, state FROM test_order WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
CHARGES = "SELECT order_id, amount FROM test_charge WHERE order_id = ANY(%s)"
MOVE = """
    UPDATE test_order AS row SET state = moved.state
    FROM unnest(%s::int[], %s::text[]) AS moved(id, state) WHERE row.id = moved.id
"""
CHARGE = "INSERT INTO test_charge SELECT * FROM unnest(%s::int[], %s::int[])"
NOTE = """
    INSERT INTO test_note
    SELECT noted.at || ' ' || row.status FROM unnest(%s::text[], %s::uuid[]) AS noted(at, id)
    JOIN reservations_reservation AS row USING (id)
"""
PATIENCE = "INSERT INTO test_note SELECT current_setting('lock_timeout') FROM unnest(%s::int[])"
WINDOW = timedelta(seconds=900)


@contextmanager
def order_tables() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE test_order, test_charge, test_note")


def orders() -> dict[int, str]:
    """The orders that are no longer open."""
    return dict(_read("SELECT id, state FROM test_order WHERE state <> 'open'"))


def charges() -> list[tuple[int, int]]:
    return _read("SELECT order_id, amount FROM test_charge ORDER BY order_id")


def notes() -> list[str]:
    return [note for (note,) in _read("SELECT note FROM test_note")]


def _read(sql: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def holds_of(rows: int, holder: str = "session:a", units: int = 9) -> list[Reservation]:
    """One hold in each of so many new inventory rows, of 1, 2, 3… units."""
    found = [stocked(units, warehouse=f"w-{holder[8:]}-{n}") for n in range(rows)]
    return [hold(row, n, holder) for n, row in enumerate(found, 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pay(Command):
    """Puts the holds on an order."""

    window: timedelta = WINDOW
    wanted: tuple[bags.Seen, ...]
    instead_of: tuple[UUID, ...] = ()

    def decide(self, books: Books) -> Bag:
        paid = bags.pay_for(books, self.wanted, self.window, instead_of=self.instead_of)
        return Bag(tuple(paid))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop(Command):
    def decide(self, books: Books) -> Bag:
        bags.unhold(books, self.reservation_ids)
        return Bag(tuple(map(books.reservation, self.reservation_ids)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sell(Command):
    """Sells the holds of an open order, and takes its charge; or drops the order."""

    lines: tuple[tuple[UUID, int], ...]
    order: int
    amount: int = 1

    def decide(self, books: Books) -> Bag:
        order, charges = books.above["orders"][self.order], books.above["charges"][self.order]
        if order[1] == "open" and not charges:
            sold = bags.sell_all(books, self.lines)
            order[1] = "placed" if sold else "dropped"
            if sold:
                books.after.append(Also(CHARGE, (self.order, self.amount), rank=6))
            books.after.append(Also(MOVE, (self.order, order[1]), rank=4))
            pk = self.reservation_ids[0]
            books.before.append(Also(NOTE, ("before", pk)))
            books.after.append(Also(NOTE, ("after", pk)))
        return Bag(tuple(map(books.reservation, self.reservation_ids)))


def _places(holds: Sequence[Reservation]) -> tuple[tuple[int, ...], tuple[UUID, ...]]:
    return tuple(held.inventory_id for held in holds), tuple(held.pk for held in holds)


def pay(holds: Sequence[Reservation], **more) -> Pay:
    rows, ids = _places(holds)
    wanted = tuple((held.pk, held.quantity, held.unit_paise) for held in holds)
    return Pay(**{"rows": rows, "reservation_ids": ids, "wanted": wanted, **more})


def drop(holds: Sequence[Reservation]) -> Drop:
    rows, ids = _places(holds)
    return Drop(rows=rows, reservation_ids=ids)


def sell(holds: Sequence[Reservation], order: int = 1, **more) -> Sell:
    rows, ids = _places(holds)
    lines = tuple((held.pk, held.quantity) for held in holds)
    above = (
        Above(6, "charges", CHARGES, (order,), many=True),
        Above(4, "orders", ORDERS, (order,)),
    )
    return Sell(rows=rows, reservation_ids=ids, lines=lines, above=above, order=order, **more)


def states(holds: Sequence[Reservation]) -> list[str]:
    found = dict(Reservation.objects.values_list("pk", "status"))
    return [found[held.pk] for held in holds]
