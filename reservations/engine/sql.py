"""The statements that the ORM has no words for. Arrays carry a whole batch in one statement."""

# Read when the rows are locked, by a statement of its own: a price that was changed while a lock
# was waited for is the new one. The product is not locked: it may change before the commit.
PRICES = """
    SELECT row.id, product.price_paise, product.name
    FROM inventory_inventory AS row JOIN catalog_product AS product ON product.id = row.product_id
    WHERE row.id = ANY(%s)
"""

UNITS_AT = """
    SELECT address, sum(quantity)::int FROM reservations_reservation
    WHERE status = 'pending' AND address <> '' AND address = ANY(%s)
      AND expires_at > statement_timestamp()
    GROUP BY address
"""

REPLIES = """
    SELECT client, endpoint, key, request_hash, status, body
    FROM unnest(%s::text[], %s::text[], %s::text[]) AS asked(client, endpoint, key)
    CROSS JOIN LATERAL (
        SELECT request_hash, status, body FROM reservations_idempotencykey AS stored
        WHERE stored.client = asked.client AND stored.endpoint = asked.endpoint
            AND stored.key = asked.key OFFSET 0
    ) AS found
"""

# Asked last: only when every lock is had is it known what time it is. One row at the least.
# Each holder is looked up by itself (LATERAL, and OFFSET 0 keeps it so), and what is pending is not
# called that: of the indexes on pending rows this leaves the one by holder. A plan made while few
# are pending would choose any of them, and read all of it in the middle of a drop.
NOW_AND_PENDING_OF = """
    SELECT clock_timestamp(), found.*
    FROM (VALUES (1)) AS always
    LEFT JOIN (
        unnest(%s::text[]) AS asked(holder)
        CROSS JOIN LATERAL (
            SELECT {fields} FROM reservations_reservation AS held
            WHERE held.ended_at IS NULL AND held.holder = asked.holder OFFSET 0
        ) AS found
    ) ON true
"""

# Relative, so that even a transaction that forgot its lock cannot undo another's change; the
# CHECK then refuses what is not there.
STOCK = """
    UPDATE inventory_inventory AS row
    SET total_units = row.total_units - change.sold,
        reserved_units = row.reserved_units + change.held
    FROM unnest(%s::bigint[], %s::int[], %s::int[]) AS change(id, sold, held)
    WHERE row.id = change.id
"""

HELD = """
    INSERT INTO reservations_reservation
        (id, inventory_id, quantity, unit_paise, name, holder, address,
         created_at, expires_at, status, renewals)
    SELECT held.*, %s, %s, 'pending', 0
    FROM unnest(%s::uuid[], %s::bigint[], %s::int[], %s::int[], %s::text[], %s::text[],
                %s::text[]) AS held
"""

CHANGED = """
    UPDATE reservations_reservation AS row
    SET status = change.status, quantity = change.quantity, withdrawn = change.withdrawn,
        ended_at = change.ended_at, expires_at = change.expires_at, renewals = change.renewals
    FROM unnest(%s::uuid[], %s::text[], %s::int[], %s::text[], %s::timestamptz[],
                %s::timestamptz[], %s::int[])
        AS change(id, status, quantity, withdrawn, ended_at, expires_at, renewals)
    WHERE row.id = change.id
"""

SOLD = """
    INSERT INTO inventory_stockmovement (inventory_id, delta, reference, reason, note, created_at)
    SELECT sold.*, 'sold', '', %s
    FROM unnest(%s::bigint[], %s::int[], %s::uuid[]) AS sold
"""

REPLIED = """
    INSERT INTO reservations_idempotencykey
        (client, endpoint, key, request_hash, status, body, reservation_id, created_at)
    SELECT replied.*, %s
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::bytea[], %s::int[], %s::text[],
                %s::uuid[]) AS replied
"""


def in_one(statements: list[str]) -> str:
    """One statement that does all of them: a round trip, and one snapshot, for any number."""
    steps = ", ".join(f"step_{n} AS ({statement})" for n, statement in enumerate(statements))
    return f"WITH {steps} SELECT"


# Looked at once more, under the locks of their rows: the hint may be old by now.
EXPIRE_DUE = """
    WITH expired AS (
        UPDATE reservations_reservation SET status = 'expired', ended_at = clock_timestamp()
        WHERE id = ANY(%s) AND status = 'pending' AND expires_at <= clock_timestamp()
        RETURNING id, holder, inventory_id, quantity, expires_at
    ), freed AS (
        SELECT inventory_id, sum(quantity) AS units FROM expired GROUP BY inventory_id
    ), stock AS (
        UPDATE inventory_inventory AS row SET reserved_units = row.reserved_units - freed.units
        FROM freed WHERE row.id = freed.inventory_id
        RETURNING row.id, row.product_id, row.total_units, row.reserved_units
    )
    SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(expires_at)), 0)::float,
        clock_timestamp(), (SELECT json_agg(row_to_json(stock)) FROM stock),
        ARRAY(SELECT id FROM expired LIMIT %s), ARRAY(SELECT holder FROM expired LIMIT %s)
    FROM expired
"""
