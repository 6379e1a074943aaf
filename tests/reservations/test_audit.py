"""Each broken invariant is named with its row and the difference."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.utils import timezone

from allo.postgresql.auditing import Finding
from reservations import services
from reservations.clock.audit import audit_stock, repair_reserved
from reservations.clock.tasks import audit_stock as audit_task
from reservations.models import AuditRun, IdempotencyKey, Repair
from reservations.waiting.services import serve
from tests.reservations.test_verbs import hold
from tests.stock import stocked
from tests.waiting import joined, offer_of

pytestmark = pytest.mark.django_db(transaction=True)


GUARDED = (
    "inventory_inventory", "inventory_stockmovement", "reservations_reservation",
    "reservations_waitingentry",
)  # fmt: skip


def run(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def break_it(*statements: str) -> None:
    """As the owner with triggers off: what a bug, or a change by hand, could cause."""
    run(*(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in GUARDED))
    try:
        run(*statements)
    finally:
        run(*(f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in GUARDED))


@contextmanager
def without_constraint(table: str, name: str, definition: str, clean_up: str) -> Iterator[None]:
    run(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    try:
        yield
    finally:
        run(clean_up, f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")


def test_books_that_balance_have_no_findings(capsys) -> None:
    services.confirm(reservation_id=hold(stocked(5), 2).pk)
    call_command("audit_stock")
    assert "balance" in capsys.readouterr().out


def test_reserved_units_that_nobody_holds_are_found(capsys) -> None:
    row = stocked(5)
    hold(row, 2)
    break_it("UPDATE inventory_inventory SET reserved_units = 3")
    with pytest.raises(SystemExit) as exit_:
        call_command("audit_stock")
    assert exit_.value.code == 1
    assert f"I2 inventory {row.pk}: found reserved 3, expected held 2" in capsys.readouterr().out


def test_units_that_no_movement_explains_are_found() -> None:
    row = stocked(5)
    break_it("UPDATE inventory_inventory SET total_units = 7")
    assert [str(f) for f in audit_stock()] == [
        f"I3 inventory {row.pk}: found total 7, expected ledger 5"
    ]


def test_more_reserved_than_there_is_is_found() -> None:
    row = stocked(5)
    with without_constraint(
        "inventory_inventory",
        "reserved_lte_total",
        "CHECK (reserved_units <= total_units)",
        "UPDATE inventory_inventory SET reserved_units = 0",
    ):
        break_it("UPDATE inventory_inventory SET reserved_units = 6")
        assert f"I1 inventory {row.pk}: found reserved 6, expected 0 to 5" in map(
            str, audit_stock()
        )


def test_a_sale_without_its_movement_is_found() -> None:
    reservation = hold(stocked(5), 2)
    services.confirm(reservation_id=reservation.pk)
    break_it("DELETE FROM inventory_stockmovement WHERE reason = 'sold'")
    found = {finding.invariant: str(finding) for finding in audit_stock()}
    assert set(found) == {"I3", "I5"}
    assert found["I5"] == (
        f"I5 reservation {reservation.pk}: found confirmed, sold 0 in 0, expected sold -2 in 1"
    )


def test_a_movement_without_its_sale_is_found() -> None:
    row = stocked(5)
    stray = uuid.uuid4()
    break_it(
        "INSERT INTO inventory_stockmovement (inventory_id, delta, reason, reference, note) "
        f"VALUES ({row.pk}, -2, 'sold', '{stray}', '')",
        "UPDATE inventory_inventory SET total_units = 3",
    )
    assert [str(finding) for finding in audit_stock()] == [
        f"I5 reservation {stray}: found no reservation, sold -2 in 1, expected no sold movement"
    ]


def test_a_key_with_two_answers_is_found() -> None:
    line = {"client": "c", "endpoint": "e", "key": "k", "request_hash": b"", "status": 201}
    with without_constraint(
        "reservations_idempotencykey",
        "one_answer_per_client_endpoint_and_key",
        "UNIQUE (client, endpoint, key)",
        "DELETE FROM reservations_idempotencykey",
    ):
        first, _ = (
            IdempotencyKey.objects.create(**line, body="", created_at=timezone.now())
            for _ in range(2)
        )
        assert [str(finding) for finding in audit_stock()] == [
            f"I6 key {first.pk}: found 2 answers, expected 1 answer"
        ]


def test_reserved_units_are_repaired_on_the_record(capsys) -> None:
    row, sound = stocked(5), stocked(5, product="sound")
    hold(row, 2)
    hold(sound, 1)
    break_it(f"UPDATE inventory_inventory SET reserved_units = 4 WHERE id = {row.pk}")
    call_command("audit_stock", "--repair-reserved")
    assert f"inventory {row.pk}: reserved 4 corrected to 2" in capsys.readouterr().out
    row.refresh_from_db()
    assert row.reserved_units == 2
    repair = Repair.objects.get()
    assert (repair.inventory_id, repair.found, repair.held) == (row.pk, 4, 2)
    assert AuditRun.objects.get().findings == []


def test_a_repair_that_would_promise_what_is_not_there_is_refused() -> None:
    row = stocked(5)
    hold(row, 4)
    break_it(
        "UPDATE inventory_inventory SET reserved_units = 0, total_units = 3",
        "INSERT INTO inventory_stockmovement (inventory_id, delta, reason, note) "
        f"VALUES ({row.pk}, -2, 'adjusted', '')",
    )
    with pytest.raises(IntegrityError, match="reserved_lte_total"):
        repair_reserved()
    assert not Repair.objects.exists()


# --- what happened since the last audit ---------------------------------------------------------

# Sold days ago, or moments before and after a day ago, in one transaction.
SOLD_AGO = """
    UPDATE reservations_reservation
    SET created_at = created_at - {ago}, expires_at = expires_at - {ago}, ended_at = now() - {ago}
    WHERE id = '{pk}';
    UPDATE inventory_stockmovement SET created_at = now() - {ago} - interval '2 s'
    WHERE reference = '{pk}'
"""


def sold(product: str, ago: str) -> uuid.UUID:
    reservation = hold(stocked(5, product=product), 2)
    services.confirm(reservation_id=reservation.pk)
    break_it(SOLD_AGO.format(pk=reservation.pk, ago=f"interval '{ago}'"))
    return reservation.pk


def sales_of(findings: list[Finding]) -> dict[str, str]:
    return {found.row.split()[-1]: found.found for found in findings if found.invariant == "I5"}


def test_since_the_last_audit_the_same_is_found_as_in_all_history() -> None:
    day = timezone.now() - timedelta(days=1)
    for ago in ("3 days", "1 day -1 s", "1 hour"):
        sold(f"sound-{ago[:3]}", ago)
    assert audit_stock() == audit_stock(day) == []
    old, new = (str(sold(*named)) for named in (("old", "3 days"), ("new", "1 hour")))
    gone, fresh = str(uuid.uuid4()), str(uuid.uuid4())
    row = stocked(5, product="stray")
    stray = (
        "INSERT INTO inventory_stockmovement (inventory_id, delta, reason, reference, note,"
        f" created_at) VALUES ({row.pk}, -1, 'sold', '%s', '', now() - interval '%s')"
    )
    break_it(
        f"DELETE FROM inventory_stockmovement WHERE reference IN ('{old}', '{new}')",
        stray % (gone, "3 days"), stray % (fresh, "1 hour"),
    )  # fmt: skip
    whole, since = audit_stock(), audit_stock(day)
    assert sales_of(whole).keys() == {old, new, gone, fresh}
    assert since == [f for f in whole if not {old, gone} & {f.row.split()[-1]}]
    assert sales_of(since).keys() == {new, fresh}


def test_the_nightly_audit_leaves_out_what_the_last_one_found_in_order(settings) -> None:
    stocked(5)
    audit_task()
    audit_task()
    first, second = AuditRun.objects.order_by("pk")
    assert (first.since, second.since) == (None, first.started_at - timedelta(hours=1))
    # What is found is looked for everywhere until it is gone.
    break_it("UPDATE inventory_inventory SET total_units = 7")
    audit_task()
    audit_task()
    break_it("UPDATE inventory_inventory SET total_units = 5")
    audit_task()
    audit_task()
    last = list(AuditRun.objects.order_by("pk"))[2:]
    assert [(len(run.findings), run.since is None) for run in last] == [
        (1, False), (1, True), (0, True), (0, False)
    ]  # fmt: skip
    # Once a week everything is looked at, and whenever somebody wants it.
    AuditRun.objects.update(started_at=timezone.now() - timedelta(days=7, seconds=-60))
    for whole in (False, False, True):
        audit_task(whole)
    assert [run.since is None for run in AuditRun.objects.all()[:3]] == [True, False, True]


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("W1", "UPDATE reservations_reservation SET holder = 'session:b' WHERE id = %(offer)s"),
        ("W2", "UPDATE reservations_reservation SET holder = 'list:x' WHERE holder = 'session:a'"),
        ("W3", "UPDATE reservations_reservation SET holder = 'list:x' WHERE id = %(offer)s"),
        ("W3", "UPDATE reservations_waitingentry SET product_id = %(other)s WHERE id = %(first)s"),
        ("W5", ("UPDATE reservations_waitingentry SET waiting_since = now() - interval '1 day'"
               " WHERE id = %(second)s")),
        ("W6", "UPDATE inventory_inventory SET list_needs = 3 WHERE id = %(row)s"),
        ("W7", "DELETE FROM outbox_message"),
        ("W8", ("INSERT INTO reservations_listclosure (product_id, reason, actor_id)"
               " VALUES (%(product)s, 'x', %(staff)s)")),
        ("W8", ("INSERT INTO reservations_listclosure (product_id, reason, actor_id, created_at,"
               " reopened_at, reopened_by_id) VALUES (%(product)s, 'x', %(staff)s,"
               " now() - interval '1 day', now(), %(staff)s)")),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_of_the_waiting_list_is_found(monkeypatch, rule, change) -> None:
    monkeypatch.setattr("inventory.events.serve_soon", lambda _products: None)
    row, other = stocked(2), stocked(0, product="other")
    held = hold(row, 2)
    first, second = joined(row, "a"), joined(row, "b")
    services.change(reservation_id=held.pk, quantity=1)
    serve(row.product_id)
    assert audit_stock() == []
    staff = User.objects.create_user("mira")
    names = {
        "row": row.pk, "product": row.product_id, "other": other.product_id, "staff": staff.pk,
        "first": first.pk, "second": second.pk, "offer": offer_of(first).pk,
    }  # fmt: skip
    break_it(re.sub(r"%\((\w+)\)s", lambda name: f"'{names[name[1]]}'", change))
    found = audit_stock()
    assert rule in {finding.invariant for finding in found}
    hour = timedelta(hours=1)
    assert audit_stock(timezone.now() - hour) == found
    later = {finding.invariant for finding in audit_stock(timezone.now() + hour)}
    assert later == {finding.invariant for finding in found} - {"W1"}


def test_two_open_entries_of_a_person_are_found() -> None:
    row = stocked(0)
    joined(row, "a")
    joined(row, "b")
    name = "one_open_entry_per_person_and_product"
    index = "DROP INDEX one_open_entry_per_person_and_product"
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", [name])
        (made,) = cursor.fetchone()
    run(index)
    try:
        break_it("UPDATE reservations_waitingentry SET email_key = 'a@example.org'")
        assert [finding.invariant for finding in audit_stock()] == ["W4"]
    finally:
        run("UPDATE reservations_waitingentry SET email_key = id::text", made)
