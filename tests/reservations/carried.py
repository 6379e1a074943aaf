"""A shop in use migrates to the next version with all its holds and sales."""

from collections import Counter
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection

from catalog.models import Product
from inventory.models import Inventory
from reservations import services
from reservations.clock.audit import audit_stock
from reservations.models import Reservation
from reservations.staff import verbs as by_staff
from reservations.staff.verbs import Cause
from tests.reservations.test_verbs import hold
from tests.stock import stocked

FIRST = ("reservations", "0007_keep_price_and_name")
OLD = """
    INSERT INTO reservations_reservation (id, inventory_id, quantity, status, holder, address,
        created_at, expires_at, ended_at, renewals)
    SELECT gen_random_uuid(), (%s::bigint[])[1 + n %% 2], 2, status, 'session:' || n, '',
        now() - interval '1 min', now() + interval '9 min',
        CASE WHEN status <> 'pending' THEN now() END, 0
    FROM generate_series(1, 40) AS n,
        LATERAL (SELECT (ARRAY['pending', 'released', 'expired', 'confirmed'])[1 + n / 2 %% 4]
                 AS status) AS was;
    UPDATE inventory_inventory SET reserved_units = 10 WHERE id = ANY(%s::bigint[]);
    INSERT INTO inventory_stockmovement (inventory_id, delta, reason, reference, note)
    SELECT inventory_id, -2, 'sold', id, '' FROM reservations_reservation
    WHERE status = 'confirmed' AND inventory_id = ANY(%s::bigint[]);
    UPDATE inventory_inventory SET total_units = total_units - 10 WHERE id = ANY(%s::bigint[])
"""


def holds_and_sales() -> Iterator[None]:
    """A part of a walk: see `tests/migrations.py`."""
    rows = [stocked(50, product="moon-vase"), stocked(50, product="moon-jar")]
    Product.objects.filter(slug="moon-jar").update(price_paise=125_050)
    held, by_shopper, by_us = [hold(stocked(5, product=f"p-{n}")) for n in range(3)]
    services.release(reservation_id=by_shopper.pk)
    actor = User.objects.create_user("ravi", is_staff=True)
    by_staff.release(reservation_id=by_us.pk, actor=actor, reason="x", cause=Cause.RULES)
    there = Reservation.objects.count()
    yield
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM reservations_reservation")
        assert len(cursor.fetchall()) == there
        assert not {"unit_paise", "name"} & {column.name for column in cursor.description}
        cursor.execute(OLD, [[row.pk for row in rows]] * 4)
    yield
    _assert_kept([held, by_shopper, by_us])
    _assert_price_and_name(rows)
    services.confirm(reservation_id=Reservation.objects.pending()[0].pk)
    assert audit_stock() == []


def _assert_kept(holds: list[Reservation]) -> None:
    """What was there before, and which of it staff released."""
    kept = Reservation.objects.filter(pk__in=[each.pk for each in holds])
    found = kept.values_list("unit_paise", "paying_since", "window_given")
    assert list(found) == [(385_000, None, False)] * 3
    marked = dict(kept.values_list("pk", "withdrawn"))
    assert [marked[each.pk] for each in holds] == ["", "", "other"]
    with pytest.raises(IntegrityError, match="final_is_final"):
        kept.update(withdrawn="")


def _assert_price_and_name(rows: list[Inventory]) -> None:
    """Old reservations have those of their product."""
    old = Reservation.objects.filter(inventory__in=rows)
    kept = old.values_list("inventory", "unit_paise", "name", "status")
    assert {row[:3] for row in kept} == {
        (rows[0].pk, 385_000, "Moon-Vase"),
        (rows[1].pk, 125_050, "Moon-Jar"),
    }
    assert Counter(status for *_, status in kept) == dict.fromkeys(Reservation.Status.values, 10)
    with pytest.raises(IntegrityError, match="price_is_kept"):
        old.pending().update(unit_paise=1)
    with pytest.raises(IntegrityError, match="final_is_final"):
        old.filter(status="confirmed").update(unit_paise=1)
