"""Checks the rules of the waiting list, W1 to W8 (`docs/how-it-works.md`), as far as what is kept
shows them. Each returns (row, found, expected) for every row that breaks the rule."""

from reservations.waiting.sql import NEEDED

# From when until when each entry was open. Its place, `waiting_since`, may be earlier.
_ENTRIES = """
    WITH entry AS (
        SELECT *, greatest(coalesce(ended_at, offered_at, 'infinity'), confirmed_at) AS until
        FROM reservations_waitingentry WHERE confirmed_at IS NOT NULL
    )
"""

# A hold that was made while an entry needed one unit there took what was for the list. Entries that
# need more prove nothing: a hold may have grown while fewer were available. The second condition on
# `since` follows from the first, and lets PostgreSQL use an index.
_OFF_THE_LIST = """
    , waited AS (
        SELECT product_id, warehouse_id, range_agg(tstzrange(confirmed_at, until, '()')) AS times
        FROM entry WHERE needs = 1 GROUP BY product_id, warehouse_id
    )
    SELECT 'reservation ' || held.id, 'made at ' || held.created_at, 'an offer to the list'
    FROM waited
    JOIN inventory_inventory AS row ON row.product_id = waited.product_id
        AND (waited.warehouse_id IS NULL OR waited.warehouse_id = row.warehouse_id)
    JOIN reservations_reservation AS held ON held.inventory_id = row.id
    WHERE held.created_at <@ waited.times
        AND held.created_at >= %(since)s AND (held.ended_at IS NULL OR held.ended_at >= %(since)s)
        AND left(held.holder, 5) <> 'list:' AND held.holder <> 'nobody'
"""

# An offer can have passed over an earlier entry only if one was open then. Only such offers are
# compared with the entries before them.
_PASSED_OVER = """
    , suspect AS (
        SELECT *, max(until) OVER (PARTITION BY product_id ORDER BY waiting_since
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS open_before
        FROM entry
    )
    SELECT 'entry ' || later.id, 'offered ' || later.offered_units || ' at ' || later.offered_at,
        'entry ' || earlier.id || ' before it'
    FROM suspect AS later
    JOIN inventory_inventory AS row
        ON row.id = (SELECT inventory_id FROM reservations_reservation WHERE id = later.offer_id)
    CROSS JOIN LATERAL (
        SELECT id FROM entry WHERE entry.product_id = later.product_id
            AND entry.waiting_since < later.waiting_since
            AND entry.confirmed_at <= later.offered_at AND entry.until > later.offered_at
            AND entry.needs <= later.offered_units
            AND (entry.warehouse_id IS NULL OR entry.warehouse_id = row.warehouse_id)
        LIMIT 1
    ) AS earlier
    WHERE later.open_before > later.offered_at
"""

_NOT_NEEDED = """
    SELECT 'inventory ' || id, 'list needs ' || list_needs, '' || needed
    FROM (SELECT id, list_needs, ({needed}) AS needed FROM inventory_inventory AS row) AS found
    WHERE list_needs <> needed
"""

CHECKS = {
    "W1": _ENTRIES + _OFF_THE_LIST,
    "W2": """
        SELECT 'reservation ' || id, holder, 'an entry whose offer it is'
        FROM reservations_reservation AS held WHERE ended_at IS NULL AND left(holder, 5) = 'list:'
            AND NOT EXISTS (SELECT FROM reservations_waitingentry WHERE offer_id = held.id)
    """,
    "W3": """
        SELECT 'entry ' || entry.id, 'reservation ' || offer.id || ' of ' || offer.holder,
            'an offer of what it waited for'
        FROM reservations_waitingentry AS entry
        JOIN reservations_reservation AS offer ON offer.id = entry.offer_id
        JOIN inventory_inventory AS row ON row.id = offer.inventory_id
        WHERE offer.holder NOT IN ('list:' || entry.id, 'nobody')
            OR row.product_id <> entry.product_id
            OR row.warehouse_id <> coalesce(entry.warehouse_id, row.warehouse_id)
            OR entry.confirmed_at IS NULL OR entry.ended_at IS NOT NULL
    """,
    "W4": """
        SELECT 'product ' || product_id, count(*) || ' open entries of a person', '1'
        FROM reservations_waitingentry
        WHERE confirmed_at IS NOT NULL AND offer_id IS NULL AND ended_at IS NULL
        GROUP BY product_id, email_key HAVING count(*) > 1
    """,
    "W5": _ENTRIES + _PASSED_OVER,
    "W6": _NOT_NEEDED.format(needed=NEEDED),
    "W7": """
        SELECT 'entry ' || entry.id, 'no message', 'the mail of its offer'
        FROM reservations_waitingentry AS entry
        JOIN reservations_reservation AS offer ON offer.id = entry.offer_id
        WHERE offer.ended_at IS NULL AND NOT EXISTS (
            SELECT FROM outbox_message WHERE key = 'list_offer:' || entry.id
        )
    """,
    "W8": """
        SELECT 'entry ' || entry.id, coalesce('offered at ' || entry.offered_at, 'open'),
            'nothing while the list is closed'
        FROM reservations_waitingentry AS entry
        JOIN reservations_listclosure AS closure USING (product_id)
        WHERE entry.offered_at BETWEEN closure.created_at
                AND coalesce(closure.reopened_at, 'infinity')
            OR (closure.reopened_at IS NULL AND entry.confirmed_at IS NOT NULL
                AND entry.offer_id IS NULL AND entry.ended_at IS NULL)
    """,
}
