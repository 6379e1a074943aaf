"""The statements of the waiting list that the ORM cannot express."""

from reservations.models import IS_OPEN

# Of an inventory row `row`: the fewest units that an open entry takes there, 0 without one. Two
# look-ups in an index, however long the list is.
_NEEDED = """
    SELECT coalesce(least(
        (SELECT min(entry.needs) FROM reservations_waitingentry AS entry
         WHERE entry.product_id = row.product_id AND entry.warehouse_id IS NULL AND {is_open}),
        (SELECT min(entry.needs) FROM reservations_waitingentry AS entry
         WHERE entry.product_id = row.product_id AND entry.warehouse_id = row.warehouse_id
            AND {is_open})
    ), 0)
"""
NEEDED = _NEEDED.format(is_open=IS_OPEN.format("entry"))

# W6. From the entries themselves, so that it is right whatever was written before.
_NEEDS = """
    UPDATE inventory_inventory AS stock SET list_needs = found.needs
    FROM (
        SELECT row.id, ({needed}) AS needs FROM inventory_inventory AS row
        WHERE row.id = ANY(%s::bigint[])
    ) AS found
    WHERE stock.id = found.id AND stock.list_needs <> found.needs
    RETURNING stock.id, stock.list_needs
"""
NEEDS = _NEEDS.format(needed=NEEDED)

OFFERED = """
    UPDATE reservations_waitingentry AS entry
    SET offer_id = offered.reservation, offered_at = offered.at, offered_units = offered.units
    FROM unnest(%s::uuid[], %s::uuid[], %s::timestamptz[], %s::int[])
        AS offered(id, reservation, at, units)
    WHERE entry.id = offered.id
"""
