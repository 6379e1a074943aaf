from contextlib import suppress
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from allo.live.rooms.rehearsal import Caller, Hold, Result, crowd, through_room, without_room
from catalog.models import Product
from inventory.models import Inventory
from reservations import services
from reservations.engine.holder import Holder
from reservations.exceptions import ReservationError

# A bot takes as many as the rules leave it.
TRIES = (10, 5, 2, 1)
# No product has such a number.
ROOM = 10**17


class Command(BaseCommand):
    help = (
        "Rehearses a drop with invented shoppers and bots, without a waiting room and through one,"
        " and prints what share of the units the bots could hold. All that is free of the product"
        " is really held for some seconds, then given back: use a shop that nobody buys in."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("product", help="the slug of a product that is open and in stock")
        parser.add_argument("--shoppers", type=int, default=1000)
        parser.add_argument("--bots", type=int, default=1000)
        parser.add_argument("--networks", type=int, default=50, help="of all bots together")

    def handle(self, *, product: str, **asked: Any) -> None:
        found = Product.objects.filter(slug=product).first()
        if found is None:
            raise CommandError(f"There is no product {product}.")
        people = {name: asked[name] for name in ("shoppers", "bots", "networks")}
        if min(people.values()) < 1:
            raise CommandError("Shoppers, bots and networks are each at least 1.")
        self._say("without a room", _without(found, crowd(**people)))
        self._say("through a room", _through(found, crowd(**people)))

    def _say(self, how: str, result: Result) -> None:
        self.stdout.write(
            f"{how}: bots hold {result.bots} units, shoppers {result.shoppers}:"
            f" {result.share_of_bots:.0%} are with bots"
        )


def _without(product: Product, callers: list[Caller]) -> Result:
    with _Holding(product) as hold:
        return without_room(callers, hold)


def _through(product: Product, callers: list[Caller]) -> Result:
    with _Holding(product) as hold:
        rows = Inventory.objects.filter(product=product)
        units = sum(row.total_units - row.reserved_units for row in rows)
        return through_room(ROOM + product.pk, callers, hold, units=units)


class _Holding:
    """Holds for callers under the shop's own rules, and gives all back at the end."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._held: list[UUID] = []

    def __enter__(self) -> Hold:
        return self._hold

    def __exit__(self, *_: object) -> None:
        for reservation in self._held:
            services.release(reservation_id=reservation)

    def _hold(self, caller: Caller) -> int:
        holder = Holder(f"rehearsal:{caller.name}", caller.network)
        for quantity in TRIES if caller.is_bot else (1,):
            with suppress(ReservationError):
                held = services.reserve(
                    product_id=self._product.pk, quantity=quantity, holder=holder
                )
                self._held.append(held.pk)
                return held.quantity
        return 0
