"""The same rules three ways: a transaction per request, a stored function, Allo's `reserve`.

All of them check the limits, return a holder's existing hold, and store the reply under a key. They
do the same work, and differ only in how it is run.
"""

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from inventory.models import Inventory
from reservations.engine.commands import Holder, Reserve
from reservations.engine.idempotency import Once, Outcome, Reply
from reservations.engine.transactions import perform, perform_once
from reservations.exceptions import InsufficientStock, LimitReached
from reservations.models import IdempotencyKey, Reservation

Contender = Callable[[int, str, str], None]


def allo(row: int, holder: str, key: str) -> None:
    command = Reserve(rows=(row,), quantity=1, holder=Holder(holder))
    if key:
        perform_once(command, Once(holder, "reserve", key, b"1", _render))
    else:
        perform(command)


def _render(outcome: Outcome) -> Reply:
    return Reply(201, json.dumps({"id": str(getattr(outcome, "id", ""))}))


def plain(row: int, holder: str, key: str) -> None:
    """What most shops do: one transaction for each request, through the ORM."""
    with transaction.atomic():
        stock = locked(row)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [holder])
        if key and IdempotencyKey.objects.filter(client=holder, key=key).exists():
            return
        reservation = _held(stock, holder) or _hold(stock, holder)
        if key:
            IdempotencyKey.objects.create(
                client=holder,
                endpoint="reserve",
                key=key,
                request_hash=sha256(b"1").digest(),
                status=201,
                body=_render(reservation).body,
                reservation=reservation,
                created_at=timezone.now(),
            )


def locked(row: int) -> Inventory:
    with_price = Inventory.objects.select_related("product")
    return with_price.select_for_update(no_key=True, of=("self",)).get(pk=row)


def _held(stock: Inventory, holder: str) -> Reservation | None:
    held = list(Reservation.objects.live().filter(holder=holder))
    if len(held) >= settings.RESERVATION_MAX_LIVE:
        raise LimitReached("RESERVATION_MAX_LIVE", settings.RESERVATION_MAX_LIVE)
    return next((r for r in held if r.inventory_id == stock.pk), None)


def _hold(stock: Inventory, holder: str) -> Reservation:
    if stock.total_units - stock.reserved_units < 1:
        raise InsufficientStock(0)
    Inventory.objects.filter(pk=stock.pk).update(reserved_units=F("reserved_units") + 1)
    now = timezone.now()
    expires_at = now + timedelta(seconds=settings.RESERVATION_TTL_SECONDS)
    return Reservation.objects.create(
        inventory=stock,
        quantity=1,
        unit_paise=stock.product.price_paise,
        name=stock.product.name,
        holder=holder,
        created_at=now,
        expires_at=expires_at,
    )


STORED_FUNCTION = """
CREATE OR REPLACE FUNCTION bench_reserve(
    wanted bigint, units int, who text, answer_key text, max_live int, ttl text
) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    free int; live int; found uuid; hold uuid := gen_random_uuid(); now timestamptz;
BEGIN
    SELECT total_units - reserved_units INTO free
        FROM inventory_inventory WHERE id = wanted FOR NO KEY UPDATE;
    PERFORM pg_advisory_xact_lock(hashtextextended(who, 0));
    now := clock_timestamp();
    IF answer_key <> '' THEN
        SELECT reservation_id INTO found FROM reservations_idempotencykey
            WHERE client = who AND endpoint = 'reserve' AND key = answer_key;
        IF FOUND THEN RETURN found; END IF;
    END IF;
    SELECT id INTO found FROM reservations_reservation
        WHERE holder = who AND inventory_id = wanted AND status = 'pending' AND expires_at > now;
    IF found IS NULL THEN
        SELECT count(*) INTO live FROM reservations_reservation
            WHERE holder = who AND status = 'pending' AND expires_at > now;
        IF live >= max_live THEN RAISE EXCEPTION 'limit_reached'; END IF;
        IF free < units THEN RAISE EXCEPTION 'insufficient_stock'; END IF;
        UPDATE inventory_inventory SET reserved_units = reserved_units + units WHERE id = wanted;
        INSERT INTO reservations_reservation (id, inventory_id, quantity, unit_paise, name, status,
                holder, address, created_at, expires_at, renewals)
            SELECT hold, wanted, units, product.price_paise, product.name, 'pending',
                who, '', now, now + ttl::interval, 0
            FROM inventory_inventory AS row
            JOIN catalog_product AS product ON product.id = row.product_id WHERE row.id = wanted;
        found := hold;
    END IF;
    IF answer_key <> '' THEN
        INSERT INTO reservations_idempotencykey
                (client, endpoint, key, request_hash, status, body, reservation_id, created_at)
            VALUES (who, 'reserve', answer_key, sha256('1'), 201,
                    json_build_object('id', found)::text, found, now);
    END IF;
    RETURN found;
END $$
"""


def stored_function(row: int, holder: str, key: str) -> None:
    """All of it in the database: one round trip, one commit."""
    ttl = f"{settings.RESERVATION_TTL_SECONDS} s"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT bench_reserve(%s, 1, %s, %s, %s, %s)",
            [row, holder, key, settings.RESERVATION_MAX_LIVE, ttl],
        )
        cursor.fetchone()


CONTENDERS: dict[str, Contender] = {
    "plain transaction": plain,
    "stored function": stored_function,
    "Allo": allo,
}


def new_holder() -> str:
    return f"session:{uuid.uuid4()}"
