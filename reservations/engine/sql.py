"""The statements that the ORM cannot express. Arrays carry a whole batch in one statement."""

from allo.postgresql.trips import Statement

# A statement of its own, run after the rows are locked: it sees what changed during the wait for
# a lock. The product is not locked, so it may change again before the commit.
PRICES = """
    SELECT row.id, product.price_paise, product.name, product.max_per_customer,
        product.opens_at, product.published_at, everywhere.total, everywhere.rows
    FROM inventory_inventory AS row JOIN catalog_product AS product ON product.id = row.product_id
    CROSS JOIN LATERAL (
        SELECT sum(total_units)::int AS total, array_agg(id) AS rows
        FROM inventory_inventory WHERE product_id = row.product_id
    ) AS everywhere
    WHERE row.id = ANY(%s)
"""

# LATERAL looks each network up by itself. With the interval no index by time fits: a plan made
# while little was pending could choose one, and read all that is pending during a drop. Grouped
# outside: an index by row would be chosen for its order.
UNITS_AT = """
    SELECT asked.address, held.inventory_id, sum(held.quantity)::int
    FROM unnest(%s::text[]) AS asked(address)
    CROSS JOIN LATERAL (
        SELECT inventory_id, quantity FROM reservations_reservation
        WHERE status = 'pending' AND address <> '' AND address = asked.address
            AND expires_at + interval '0' > statement_timestamp()
        OFFSET 0
    ) AS held
    GROUP BY asked.address, held.inventory_id
"""

# Of each holder the last reservations, whether it ever bought something, and when staff last lifted
# a cool-down. What is past its time has expired, whether it was swept or not: otherwise one could
# hold the same units again at each end. Those of two days: a plan that is kept for every holder may
# sort what it reads, and would read all that a holder ever had. No EXISTS: a plan made while little
# was sold could hash all sales there are.
HISTORIES = """
    SELECT asked.holder,
        (SELECT true FROM reservations_reservation AS sold
         WHERE sold.status = 'confirmed' AND sold.holder = asked.holder LIMIT 1) IS NOT NULL,
        (SELECT max(created_at) FROM reservations_cooldownlift AS lift
         WHERE lift.holder = asked.holder),
        past.*
    FROM unnest(%s::text[]) AS asked(holder)
    LEFT JOIN LATERAL (
        SELECT inventory_id, CASE WHEN due THEN 'expired' ELSE status END, created_at,
            CASE WHEN due THEN expires_at ELSE ended_at END, withdrawn,
            provider_failed_at IS NOT NULL
        FROM reservations_reservation AS each
        CROSS JOIN LATERAL (
            SELECT status = 'pending' AND expires_at <= statement_timestamp() AS due
        ) AS clock
        WHERE each.holder = asked.holder
            AND each.created_at > statement_timestamp() - interval '48 hours'
        ORDER BY each.created_at DESC LIMIT 10
    ) AS past ON true
"""

# Of each network the rows of the last holds that ended unpaid, as `cooling.is_unpaid` says.
UNPAID_AT = """
    SELECT asked.address, past.inventory_id
    FROM unnest(%s::text[]) AS asked(address)
    CROSS JOIN LATERAL (
        SELECT inventory_id FROM reservations_reservation
        WHERE status IN ('expired', 'released') AND withdrawn = '' AND address <> ''
            AND address = asked.address AND provider_failed_at IS NULL
            AND ended_at > statement_timestamp() - interval '24 hours'
            AND (status = 'expired' OR ended_at - created_at >= interval '60 seconds')
        ORDER BY ended_at DESC LIMIT 60
    ) AS past
"""

# Without a lock: what other transactions are about to hold is not seen.
UNITS_AROUND = """
    SELECT held.address, sum(held.quantity)::int
    FROM unnest(%s::text[]) AS asked(around)
    CROSS JOIN LATERAL (
        SELECT address, quantity FROM reservations_reservation
        WHERE status = 'pending' AND around <> '' AND around = asked.around
            AND expires_at + interval '0' > statement_timestamp()
        OFFSET 0
    ) AS held
    GROUP BY held.address
"""

# What one customer holds and has bought of a product, under any name: those given, their accounts,
# and all browsers that signed in to these. Each name is looked up by itself, by an index on pending
# rows or on confirmed ones. Run only for products with `max_per_customer`.
OF_CUSTOMER = """
    WITH known AS (
        SELECT unnest(%s::text[]) AS name
    ), accounts AS (
        SELECT name FROM known
        UNION SELECT found.account FROM known CROSS JOIN LATERAL (
            SELECT account FROM reservations_adoptedholder WHERE holder = known.name OFFSET 0
        ) AS found
    ), names AS (
        SELECT name FROM accounts
        UNION SELECT found.holder FROM accounts CROSS JOIN LATERAL (
            SELECT holder FROM reservations_adoptedholder WHERE account = accounts.name OFFSET 0
        ) AS found
    )
    SELECT names.name, found.id, found.quantity
    FROM names CROSS JOIN (SELECT %s::bigint[] AS rows) AS product LEFT JOIN LATERAL (
        SELECT held.id, held.quantity FROM reservations_reservation AS held
        WHERE held.ended_at IS NULL AND held.holder = names.name
            AND held.inventory_id = ANY(product.rows) AND held.expires_at > %s
        UNION ALL
        SELECT sold.id, sold.quantity FROM reservations_reservation AS sold
        WHERE sold.status = 'confirmed' AND sold.holder = names.name
            AND sold.inventory_id = ANY(product.rows)
    ) AS found ON true
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

# Run last: the time that decides about expiry must be read after every lock is taken. Returns at
# least one row, with what webhooks want to hear of. LATERAL with OFFSET 0 looks each holder up by
# itself. The condition is `ended_at IS NULL`, not `status = 'pending'`, so that only the index by
# holder fits: a plan made while few rows were pending could choose another pending index, and read
# all of it during a drop.
NOW_AND_PENDING_OF = """
    SELECT clock_timestamp(), {wanted}, found.*
    FROM (VALUES (1)) AS always
    LEFT JOIN (
        unnest(%s::text[]) AS asked(holder)
        CROSS JOIN LATERAL (
            SELECT {fields} FROM reservations_reservation AS held
            WHERE held.ended_at IS NULL AND held.holder = asked.holder OFFSET 0
        ) AS found
    ) ON true
"""

# Relative changes: even a transaction without the lock cannot overwrite another's change, and the
# CHECK constraint refuses units that do not exist.
STOCK = """
    UPDATE inventory_inventory AS row
    SET total_units = row.total_units - change.sold,
        reserved_units = row.reserved_units + change.held
    FROM unnest(%s::bigint[], %s::int[], %s::int[]) AS change(id, sold, held)
    WHERE row.id = change.id
"""

HELD = """
    INSERT INTO reservations_reservation
        (id, inventory_id, quantity, unit_paise, name, holder, address, around,
         expires_at, created_at, status, renewals)
    SELECT held.*, %s::timestamptz, 'pending', 0
    FROM unnest(%s::uuid[], %s::bigint[], %s::int[], %s::int[], %s::text[], %s::text[],
                %s::text[], %s::text[], %s::timestamptz[]) AS held
"""

CHANGED = """
    UPDATE reservations_reservation AS row
    SET status = change.status, quantity = change.quantity, withdrawn = change.withdrawn,
        ended_at = change.ended_at, expires_at = change.expires_at, renewals = change.renewals,
        paying_since = change.paying_since, window_given = change.window_given
    FROM unnest(%s::uuid[], %s::text[], %s::int[], %s::text[], %s::timestamptz[],
                %s::timestamptz[], %s::int[], %s::timestamptz[], %s::bool[])
        AS change(id, status, quantity, withdrawn, ended_at, expires_at, renewals, paying_since,
                  window_given)
    WHERE row.id = change.id
"""

ADOPTED = """
    UPDATE reservations_reservation AS row SET holder = adopted.account
    FROM unnest(%s::uuid[], %s::text[]) AS adopted(id, account) WHERE row.id = adopted.id
"""

# Run before `ADOPTED`: a visitor that never held anything is not remembered, or every page of the
# account would have to look for what it held. A visitor's name stays the first account's.
ADOPTERS = """
    INSERT INTO reservations_adoptedholder (holder, account, created_at)
    SELECT adopted.*, %s::timestamptz
    FROM unnest(%s::text[], %s::text[]) AS adopted(holder, account)
    WHERE (SELECT true FROM reservations_reservation AS held
           WHERE held.holder = adopted.holder LIMIT 1)
    ON CONFLICT (holder) DO NOTHING
"""

SOLD = """
    INSERT INTO inventory_stockmovement (inventory_id, delta, reference, reason, note, created_at)
    SELECT sold.*, 'sold', '', %s::timestamptz
    FROM unnest(%s::bigint[], %s::int[], %s::uuid[]) AS sold
"""

REPLIED = """
    INSERT INTO reservations_idempotencykey
        (client, endpoint, key, request_hash, status, body, reservation_id, created_at)
    SELECT replied.*, %s::timestamptz
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::bytea[], %s::int[], %s::text[],
                %s::uuid[]) AS replied
"""


def in_one(statements: list[Statement]) -> Statement:
    """One statement that runs all of them, in one snapshot."""
    steps = ", ".join(f"step_{n} AS ({each.sql})" for n, each in enumerate(statements))
    return Statement(f"WITH {steps} SELECT", [v for each in statements for v in each.values])


# Status and deadline are checked again under the row locks: the list of ids was read without a
# lock. The statement begins when all rows are locked, so its time is as good as the clock's, which
# would be a volatile function: Citus refuses those where rows change.
EXPIRE_DUE = """
    WITH expired AS (
        UPDATE reservations_reservation SET status = 'expired', ended_at = statement_timestamp()
        WHERE id = ANY(%s::uuid[]) AND status = 'pending' AND expires_at <= statement_timestamp()
        RETURNING id, holder, inventory_id, quantity, expires_at
    ), freed AS (
        SELECT inventory_id, sum(quantity) AS units FROM expired GROUP BY inventory_id
    ), stock AS (
        UPDATE inventory_inventory AS row SET reserved_units = row.reserved_units - freed.units
        FROM freed WHERE row.id = freed.inventory_id
        RETURNING row.id AS row, row.product_id AS product, row.total_units AS total,
            row.reserved_units AS reserved, row.list_needs
    )
    SELECT count(*),
        coalesce(extract(epoch FROM statement_timestamp() - min(expires_at)), 0)::float,
        statement_timestamp(), (SELECT json_agg(row_to_json(stock)) FROM stock),
        ARRAY(SELECT id FROM expired), ARRAY(SELECT holder FROM expired LIMIT %s), {wanted}
    FROM expired
"""
