"""Two concurrent ends of one hold: one wins, and the stock is right."""

from collections import Counter

import pytest
from django.db import connection

from inventory.models import StockMovement
from reservations import services
from reservations.clock.audit import audit_stock
from reservations.clock.expiry import expire_due
from reservations.engine.commands import Expire
from reservations.engine.transactions import perform
from reservations.exceptions import NotPending, ReservationExpired
from reservations.models import Reservation
from tests.reservations.test_idempotency import hold as hold_once
from tests.reservations.test_idempotency import once
from tests.reservations.test_verbs import hold
from tests.stock import all_at_once, pass_time, stocked

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.race,
    pytest.mark.usefixtures("unhurried"),
]


def test_expiry_and_confirmation_500_times_one_wins(settings) -> None:
    settings.RESERVATION_MAX_LIVE = 0
    row = stocked(500)
    ends: Counter[str] = Counter()
    reservations = [hold(row, 1, f"session:{n}") for n in range(500)]

    def race(caller: int) -> list[object]:
        return [end(caller, reservation) for reservation in reservations]

    def end(caller: int, reservation: Reservation) -> object:
        try:
            if caller:
                return services.confirm(reservation_id=reservation.pk)
            return perform(Expire(rows=(row.pk,), reservation_ids=(reservation.pk,)))
        except (ReservationExpired, NotPending) as refusal:
            return refusal

    # Half of them become due while sweeps and payments run.
    pass_time(599.6, pk__in=[r.pk for r in reservations[::2]])
    outcomes = all_at_once(2, race)
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)], outcomes
    ends = Counter(Reservation.objects.values_list("status", flat=True))
    assert ends["confirmed"] >= 250
    assert StockMovement.objects.filter(reason="sold").count() == ends["confirmed"]
    expire_due()
    row.refresh_from_db()
    assert (row.total_units, row.reserved_units) == (500 - ends["confirmed"], 0)
    assert audit_stock() == []


def test_sweeps_and_payments_of_1000_holds_keep_the_books_balanced(settings) -> None:
    settings.RESERVATION_MAX_LIVE = 0
    rows = [stocked(1000, product=f"p-{n}") for n in range(4)]
    with connection.cursor() as cursor:
        for row in rows:
            cursor.execute(
                """INSERT INTO reservations_reservation (id, inventory_id, quantity,
                       unit_paise, name, status, holder, address, created_at, expires_at, renewals)
                   SELECT gen_random_uuid(), %s, 1, 1, 'Tidal', 'pending', 'session:' || n, '',
                       clock_timestamp() - interval '10 min',
                       clock_timestamp() + (ARRAY['0', '0.3 s', '1 hour'])[1 + n %% 3]::interval, 0
                   FROM generate_series(1, 1000) n""",
                [row.pk],
            )
            cursor.execute("UPDATE inventory_inventory SET reserved_units = 1000")
    ids = list(Reservation.objects.order_by("?").values_list("pk", flat=True)[:600])

    def work(caller: int) -> int:
        if caller < 3:
            return expire_due(batch=100).expired
        return sum(paid(pk) for pk in ids[caller - 3 :: 3])

    def paid(pk) -> bool:
        try:
            return isinstance(services.confirm(reservation_id=pk), Reservation)
        except ReservationExpired:
            return False

    outcomes = all_at_once(6, work)
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)], outcomes
    counted = Counter(Reservation.objects.values_list("status", flat=True))
    assert counted["confirmed"] == sum(outcomes[3:])  # type: ignore[arg-type]
    assert counted["confirmed"] > 0
    assert counted["expired"] >= 1000
    assert audit_stock() == []


def test_the_same_key_24_times_at_once_acts_once() -> None:
    row = stocked(50)
    answers = all_at_once(24, lambda _: hold_once(row, once()))
    assert len({answer.body for answer in answers}) == 1  # type: ignore[union-attr]
    assert Counter(answer.replayed for answer in answers) == {False: 1, True: 23}  # type: ignore[union-attr]
    row.refresh_from_db()
    assert row.reserved_units == 1
