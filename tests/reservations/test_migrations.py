"""A shop in use migrates to the next version with all its holds and sales."""

from collections import Counter

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection

from catalog.models import Product
from reservations import services
from reservations.clock.audit import audit_stock
from reservations.models import Reservation
from reservations.staff import verbs as by_staff
from reservations.staff.verbs import Cause
from tests.migrations import before
from tests.reservations.test_verbs import hold
from tests.stock import stocked

pytestmark = pytest.mark.django_db(transaction=True)

OLD = """
    INSERT INTO reservations_reservation (id, inventory_id, quantity, status, holder, address,
        created_at, expires_at, ended_at, renewals)
    SELECT gen_random_uuid(), (%s::bigint[])[1 + n %% 2], 2, status, 'session:' || n, '',
        now() - interval '1 min', now() + interval '9 min',
        CASE WHEN status <> 'pending' THEN now() END, 0
    FROM generate_series(1, 40) AS n,
        LATERAL (SELECT (ARRAY['pending', 'released', 'expired', 'confirmed'])[1 + n / 2 %% 4]
                 AS status) AS was;
    UPDATE inventory_inventory SET reserved_units = 10;
    INSERT INTO inventory_stockmovement (inventory_id, delta, reason, reference, note)
    SELECT inventory_id, -2, 'sold', id, '' FROM reservations_reservation
    WHERE status = 'confirmed';
    UPDATE inventory_inventory SET total_units = total_units - 10
"""


MIGRATION = ("reservations", "0007_keep_price_and_name")


def test_old_reservations_get_the_price_and_name_of_their_product() -> None:
    rows = [stocked(50), stocked(50, product="moon-jar")]
    Product.objects.filter(slug="moon-jar").update(price_paise=125_050)
    with before(*MIGRATION), connection.cursor() as cursor:
        cursor.execute(OLD, [[row.pk for row in rows]])
    kept = Reservation.objects.values_list("inventory", "unit_paise", "name", "status")
    assert {row[:3] for row in kept} == {
        (rows[0].pk, 385_000, "Tidal"),
        (rows[1].pk, 125_050, "Moon-Jar"),
    }
    assert Counter(status for *_, status in kept) == dict.fromkeys(Reservation.Status.values, 10)
    with pytest.raises(IntegrityError, match="price_is_kept"):
        Reservation.objects.pending().update(unit_paise=1)
    with pytest.raises(IntegrityError, match="final_is_final"):
        Reservation.objects.filter(status="confirmed").update(unit_paise=1)
    services.confirm(reservation_id=Reservation.objects.pending()[0].pk)
    assert audit_stock() == []


def test_earlier_releases_by_staff_are_marked_and_those_by_holders_are_not() -> None:
    rows = [stocked(5, product=f"p-{n}") for n in range(2)]
    by_shopper, by_us = [hold(row) for row in rows]
    services.release(reservation_id=by_shopper.pk)
    actor = User.objects.create_user("asha", is_staff=True)
    by_staff.release(reservation_id=by_us.pk, actor=actor, reason="x", cause=Cause.RULES)
    with before("reservations", "0008_say_that_staff_released"):
        pass
    kept = dict(Reservation.objects.values_list("pk", "withdrawn"))
    assert kept == {by_shopper.pk: "", by_us.pk: "other"}
    with pytest.raises(IntegrityError, match="final_is_final"):
        Reservation.objects.update(withdrawn="")


def test_migrating_back_keeps_every_reservation() -> None:
    for n in range(3):
        hold(stocked(5, product=f"p-{n}"))
    with before(*MIGRATION), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM reservations_reservation")
        assert len(cursor.fetchall()) == 3
        assert not {"unit_paise", "name"} & {column.name for column in cursor.description}
    kept = Reservation.objects.values_list("unit_paise", "paying_since", "window_given")
    assert list(kept) == [(385_000, None, False)] * 3
