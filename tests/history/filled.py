"""A shop with a long past: many reservations, of one shopper and one row above all, and all that
they and the staff left behind. Each table is filled by one statement."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest
from django.test import Client

from allo.postgresql import timeouts
from inventory.models import Inventory
from reservations import services
from reservations.engine.commands import Holder
from reservations.models import Reservation
from reservations.shop import visitor
from tests.stock import stocked

OLD = 20_000
FEWER = 20_000
PRODUCTS = 25

PAST = """
    INSERT INTO reservations_reservation (id, inventory_id, quantity, unit_paise, name, status,
        holder, address, created_at, expires_at, ended_at, renewals)
    SELECT md5('r' || n)::uuid,
        CASE WHEN n % 2 = 0 THEN {row} ELSE (ARRAY{rows})[1 + n % {rows_count}] END,
        1, 385000, 'Vase', (ARRAY['confirmed', 'released', 'expired', 'expired'])[1 + n / 2 % 4],
        CASE WHEN n % 4 < 2 THEN '{holder}' ELSE 'visitor:' || md5(n::text)::uuid END,
        CASE WHEN n % 3 = 0 THEN '' ELSE '192.0.2.1/32' END,
        at, at + interval '10 min', at + interval '4 min', 0
    FROM generate_series(1, {old}) AS n, LATERAL (SELECT now() - n * interval '100 min' AS at) AS t;
    INSERT INTO inventory_stockmovement (inventory_id, delta, reason, reference, note, created_at)
    SELECT {row}, 1, 'received', gen_random_uuid(), '',
        now() - interval '9 years' + n * interval '1 s'
    FROM generate_series(1, 500) AS n;
    INSERT INTO inventory_stockmovement (inventory_id, delta, reason, reference, note, created_at)
    SELECT inventory_id, -1, 'sold', id, '', ended_at FROM reservations_reservation
    WHERE status = 'confirmed' ORDER BY ended_at;
    INSERT INTO reservations_idempotencykey (client, endpoint, key, request_hash, status, body,
        created_at)
    SELECT '{holder}', (ARRAY['reserve', 'api:reserve', 'checkout:confirm'])[1 + n % 3], n, '',
        CASE WHEN n % 5000 = 0 THEN 410 ELSE 201 END, '', now() - n * interval '1 s'
    FROM generate_series(1, {old}) AS n;
    INSERT INTO reservations_staffaction (reservation_id, action, actor_id, reason, created_at)
    SELECT md5('r' || n)::uuid, 'released', {actor}, 'Reason ' || n, now()
    FROM generate_series(1, {fewer}) AS n;
    INSERT INTO reservations_sweep (started_at, finished_at, expired, max_lateness_seconds)
    SELECT at, at, 0, 0 FROM generate_series(1, {fewer}) AS n,
        LATERAL (SELECT now() - n * interval '10 s' AS at) AS t;
    INSERT INTO reservations_auditrun (started_at, finished_at, findings)
    SELECT at, at, '[]' FROM generate_series(1, {fewer}) AS n,
        LATERAL (SELECT now() - n * interval '1 day' AS at) AS t;
    INSERT INTO outbox_message (key, kind, "to", context, created_at, sent_at, tries)
    SELECT 'k' || n, 'low_stock', 'asha' || n || '@example.org', '{{}}',
        now() - n * interval '1 min', CASE WHEN n % 100 > 1 THEN now() END,
        CASE WHEN n % 100 = 0 THEN 33 ELSE 1 END FROM generate_series(1, {old}) AS n;
    INSERT INTO reservations_repair (inventory_id, found, held, created_at)
    SELECT {row}, 1, 2, now() FROM generate_series(1, {fewer}) AS n;
    INSERT INTO inventory_stockimport (id, file_name, state, row_count, error_count, done, actor_id,
        created_at, trouble, digest, remark)
    SELECT md5('i' || n)::uuid, 'May ' || n || '.csv', 'checked', 1, 0, 0, {actor},
        now() - n * interval '1 day', '', 'digest ' || n, '' FROM generate_series(1, {fewer}) AS n;
    INSERT INTO inventory_stockimportrow (stock_import_id, line, product, warehouse, inventory_id,
        before, delta, reason, note, error)
    SELECT md5('i' || n)::uuid, line, 'tidal', 'blr-01', {row}, 1, 1, 'received', '', ''
    FROM generate_series(1, {fewer}) AS n, generate_series(2, 3) AS line;
    INSERT INTO django_admin_log (action_time, object_id, object_repr, action_flag, change_message,
        content_type_id, user_id)
    SELECT now() - n * interval '1 min', n::text, 'Tidal', 2, '', {content_type}, {actor}
    FROM generate_series(1, {old}) AS n;
    INSERT INTO axes_accessattempt (user_agent, ip_address, username, http_accept, path_info,
        attempt_time, get_data, post_data, failures_since_start)
    SELECT 'bot', '192.0.2.1', 'root' || n, '', '/admin/login/',
        now() - ({fewer} - n) * interval '1 s', '', '', 1 FROM generate_series(1, {fewer}) AS n;
    INSERT INTO axes_accesslog (user_agent, ip_address, username, http_accept, path_info,
        attempt_time, session_hash)
    SELECT 'bot', '192.0.2.1', 'root', '', '/admin/login/',
        now() - ({fewer} - n) * interval '1 s', '' FROM generate_series(1, {fewer}) AS n;
"""

# An order of each sale; of those that expired, an order that was dropped.
ORDERS = """
    INSERT INTO checkout_order (id, number, holder, state, opened_at, dropped_at, placed_at,
        paid_at, packed_at, shipped_at, delivered_at, total_paise, name, email)
    SELECT id, 'AL-' || translate(upper(left(id::text, 4) || '-' || right(id::text, 4)), 'x', ''),
        holder, CASE status WHEN 'expired' THEN 'dropped' ELSE 'delivered' END, created_at,
        CASE status WHEN 'expired' THEN ended_at END, sold_at, sold_at, sold_at, sold_at, sold_at,
        unit_paise, 'Asha ' || left(id::text, 4), left(id::text, 8) || '@example.org'
    FROM reservations_reservation,
        LATERAL (SELECT CASE status WHEN 'confirmed' THEN ended_at END AS sold_at) AS sold
    WHERE status IN ('confirmed', 'expired') ON CONFLICT (number) DO NOTHING;
    INSERT INTO checkout_orderline (order_id, reservation_id, name, unit_paise, quantity,
        gst_percent, gst_paise, active)
    SELECT id, id, name, unit_paise, 1, 0, 0, status = 'confirmed'
    FROM reservations_reservation WHERE id IN (SELECT id FROM checkout_order);
    INSERT INTO checkout_orderevent (order_id, what, at) SELECT id, 'opened', opened_at
    FROM checkout_order;
    INSERT INTO checkout_payment (id, order_id, provider, session_ref, expires_at, success_url,
        cancel_url, created_at, closed_at, look_at)
    SELECT id, id, 'bank', 'cs_' || id, opened_at + interval '15 min', '', '', opened_at,
        opened_at + interval '15 min', NULL FROM checkout_order;
    INSERT INTO checkout_charge (order_id, payment_id, provider, reference, amount, fact, seen_as,
        decision, settled_at, created_at)
    SELECT id, id, 'bank', 'pi_' || id, total_paise, 'captured', 'authorised', 'take', paid_at,
        placed_at FROM checkout_order WHERE paid_at IS NOT NULL;
    INSERT INTO checkout_refund (id, charge_id, amount, reason, state, created_at)
    SELECT order_id, id, 5, 'It came late', 'failed', created_at - interval '1 year'
    FROM checkout_charge;
"""

CONTACTS = """
    INSERT INTO checkout_contact (reservation_id, name, email, changed_at)
    SELECT id, 'Asha ' || left(id::text, 4), left(id::text, 8) || '@example.org', created_at
    FROM reservations_reservation WHERE status <> 'pending'
"""


# Triggers refuse what is written as if it had happened long ago.
GUARDS = "".join(
    f"ALTER TABLE checkout_{name} {{0}} TRIGGER USER;"
    for name in ("contact", "order", "orderline", "orderevent", "payment", "charge", "refund")
)


@dataclass(frozen=True)
class Past:
    """A shopper who holds something and held much, a superuser, and the row that sold most."""

    shopper: Client
    holder: str
    hold: Reservation
    staff: Client
    row: Inventory


def shop_with_a_past() -> Past:
    rows = [
        stocked(9, product=f"vase-{n}", warehouse=code)
        for n in range(PRODUCTS)
        for code in ("blr-01", "del-01")
    ]
    shopper, staff = Client(), Client()
    holder = _known(shopper)
    hold = services.reserve(product_id=rows[0].product_id, quantity=1, holder=Holder(holder))
    assert isinstance(hold, Reservation)
    actor = User.objects.create_superuser("root")
    staff.force_login(actor)
    names = {
        "row": rows[0].pk, "rows": [row.pk for row in rows], "rows_count": len(rows),
        "holder": holder, "actor": actor.pk, "old": OLD, "fewer": FEWER,
    }  # fmt: skip
    # ANALYZE may meet autovacuum, which has the same lock of a table.
    timeouts.lift("lock_timeout")
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM django_content_type WHERE model = 'product'")
        [content_type] = cursor.fetchone()
        cursor.execute(PAST.format(**names, content_type=content_type))
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        # Not `pgtrigger.ignore()`: each trigger of each row would ask whether it is ignored.
        cursor.execute(GUARDS.format("DISABLE"))
        cursor.execute(CONTACTS)
        cursor.execute(ORDERS)
        cursor.execute(GUARDS.format("ENABLE"))
        # What autovacuum does.
        cursor.execute("SELECT brin_summarize_new_values('movement_by_time')")
        cursor.execute("ANALYZE")
    connection.check_constraints()
    assert Reservation.objects.count() == OLD + 1
    return Past(shopper, holder, hold, staff, rows[0])


def _known(shopper: Client) -> str:
    """Gives the browser a visitor cookie; returns its holder."""
    shopper.cookies[settings.VISITOR_COOKIE_NAME] = "v" * 43
    request = HttpRequest()
    request.COOKIES[settings.VISITOR_COOKIE_NAME] = "v" * 43
    holder = visitor.holder_of(request)
    assert holder
    return holder
