"""What webhooks are told of a transaction: the reservations as each command left them."""

import json
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from allo.outbox.hooks import writing
from allo.postgresql.trips import Statement
from reservations.engine.events import Happened
from reservations.facts import facts
from reservations.models import Reservation

# A hold that staff extended, or that is on an order, lasts longer: that is a change too.
KINDS = {
    Happened.CREATED: "reservation.created",
    Happened.CHANGED: "reservation.changed",
    Happened.EXTENDED: "reservation.changed",
    Happened.PAYING: "reservation.changed",
    Happened.RENEWED: "reservation.renewed",
    Happened.CONFIRMED: "reservation.confirmed",
    Happened.RELEASED: "reservation.released",
    Happened.EXPIRED: "reservation.expired",
}
OFFER_MADE = "offer.made"

# With the names that programs know its product and warehouse by.
WRITE = writing.statement("""
    SELECT told.n, told.kind, told.subject, told.at, told.data::jsonb
        || jsonb_build_object('product', product.slug, 'warehouse', warehouse.code) AS data
    FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::bigint[], %s::text[])
        WITH ORDINALITY AS told(kind, subject, at, row, data, n)
    JOIN inventory_inventory AS row ON row.id = told.row
    JOIN catalog_product AS product ON product.id = row.product_id
    JOIN inventory_warehouse AS warehouse ON warehouse.id = row.warehouse_id
""")


class Telling:
    """Collects the events that some webhook wants; without one it costs a look into a list."""

    def __init__(self, wanted: Collection[str] = ()) -> None:
        self.wanted = wanted
        self._rows: list[tuple[Any, ...]] = []

    def note(self, happened: Happened, of: Reservation, at: datetime) -> None:
        if self.wanted and (kind := KINDS.get(happened)):
            self.tell(kind, of, at)

    def tell(self, kind: str, of: Reservation, at: datetime) -> None:
        """As it is now: the next command of the batch may change it."""
        if kind in self.wanted:
            # The statement knows the names of the product and the warehouse.
            data = json.dumps(facts(of, "", ""))
            self._rows.append((kind, str(of.pk), at, of.inventory_id, data))

    def statements(self) -> Iterator[Statement]:
        if self._rows:
            yield Statement(WRITE, [list(column) for column in zip(*self._rows, strict=True)])
