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

# W6. Computed from the entries, so that it is right whatever was there before.
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

# The products with units available for their list, and those with a row whose `list_needs` is
# wrong: a row and an entry that are made at the same moment do not see each other.
_TO_SERVE = """
    SELECT DISTINCT row.product_id FROM inventory_inventory AS row
    WHERE row.product_id IN (
        SELECT entry.product_id FROM reservations_waitingentry AS entry WHERE {is_open}
    ) AND (
        row.list_needs <> ({needed})
        OR (row.list_needs > 0 AND row.total_units - row.reserved_units >= row.list_needs)
    )
    ORDER BY row.product_id
"""
TO_SERVE = _TO_SERVE.format(is_open=IS_OPEN.format("entry"), needed=NEEDED)

OFFERED = """
    UPDATE reservations_waitingentry AS entry
    SET offer_id = offered.reservation, offered_at = offered.at, offered_units = offered.units
    FROM unnest(%s::uuid[], %s::uuid[], %s::timestamptz[], %s::int[])
        AS offered(id, reservation, at, units)
    WHERE entry.id = offered.id
"""
