"""Each broken invariant of money is named with its row and the difference."""

from datetime import datetime, timedelta

import pgtrigger
import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from allo.outbox import pruning
from allo.outbox.models import Message
from allo.tasks import prune
from checkout.audit import audit_money
from checkout.models import Order
from checkout.tasks import audit_money as audit_task
from reservations import services
from reservations.models import AuditRun, Reservation
from tests.checkout.orders import brought, charged, move, opened, refund, sell
from tests.reservations.test_audit import run, without_constraint
from tests.reservations.test_verbs import hold
from tests.stock import stocked

pytestmark = pytest.mark.django_db(transaction=True)


def receipt(key: object, **times: datetime) -> Message:
    return Message.objects.create(
        key=f"receipt:{key}", kind="receipt", to="asha@example.org", context={}, **times
    )


def order_in(state: str, product: str) -> Order:
    order = brought(opened(hold(stocked(5, product=product), 2)), state)
    if order.paid_at:
        receipt(order.pk)
    return order


def value(query: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return str(cursor.fetchone()[0])


def definition(constraint: str) -> str:
    return value(
        f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = '{constraint}'"
    )


def found() -> list[str]:
    return [str(finding) for finding in audit_money()]


def test_audit_money_names_each_broken_row(capsys) -> None:
    orders = {n: order_in("paid", f"p-{n}") for n in ("P1", "P2", "P3", "P5", "P7", "P8")}
    charge = {n: order.charges.get() for n, order in orders.items()}
    lonely = hold(stocked(5, product="lonely"))
    services.confirm(reservation_id=lonely.pk)
    back = charged(order_in("dropped", "p-4"), "give_back", fact="authorised")
    stray = receipt("stray")
    sold = orders["P1"].order_lines.get().reservation
    rule = "cancelled_has_its_time"
    with without_constraint(
        "checkout_order", rule, definition(rule), "TRUNCATE checkout_order CASCADE"
    ):
        with pgtrigger.ignore():
            run(
                f"UPDATE reservations_reservation SET quantity = 1 WHERE id = '{sold.pk}'",
                f"UPDATE checkout_charge SET decision = 'give_back' WHERE id = {charge['P2'].pk}",
                f"UPDATE checkout_charge SET amount = 1 WHERE id = {charge['P3'].pk}",
                f"UPDATE checkout_charge SET fact = 'captured' WHERE id = {back.pk}",
                f"UPDATE checkout_charge SET refunded_paise = 5 WHERE id = {charge['P5'].pk}",
                f"DELETE FROM outbox_message WHERE key = 'receipt:{orders['P7'].pk}'",
                f"UPDATE checkout_order SET cancelled_at = now() WHERE id = '{orders['P8'].pk}'",
            )
        at = value(f"SELECT cancelled_at::text FROM checkout_order WHERE id = '{orders['P8'].pk}'")
        with pytest.raises(SystemExit) as exit_:
            call_command("audit_money")
        now, hour = timezone.now(), timedelta(hours=1)
        recent, later = (sorted(map(str, audit_money(at))) for at in (now - hour, now + hour))
    assert exit_.value.code == 1
    printed = capsys.readouterr().out.splitlines()
    assert AuditRun.objects.get(books="money").findings == printed
    number = {name: order.number for name, order in orders.items()}
    charge_5, order_7 = f"charge {charge['P5'].reference}", orders["P7"].pk
    expected = [
        f"P1 reservation {lonely.pk}: found sold in 0 orders, expected 1",
        f"P1 order {number['P1']}: found reservation {sold.pk} confirmed 1, expected confirmed 2",
        f"P2 order {number['P2']}: found paid, 0 charges taken, expected 1",
        f"P3 order {number['P2']}: found no charge taken, expected captured 770000 INR",
        f"P3 order {number['P3']}: found captured 1 INR, expected captured 770000 INR",
        f"P4 charge {back.reference}: found authorised, then captured, to give back, expected void",
        f"P5 {charge_5}: found captured, refunded 5, expected 0 by its refunds, at most 770000",
        f"P7 order {number['P7']}: found paid, no receipt, expected a message receipt:{order_7}",
        f"P7 message {stray.key}: found no order, expected an order that was paid",
        f"P8 order {number['P8']}: found paid, cancelled at {at}, expected cancelled",
    ]
    assert sorted(printed) == sorted(expected)
    # Of sales, those since then alone.
    assert recent == sorted(expected)
    assert later == sorted(line for line in expected if not line.startswith("P1"))


def test_books_of_money_that_balance_have_no_findings(capsys) -> None:
    """Each state; money that was taken, given back, voided and refunded; a merchant's own sale; and
    what needs no receipt: it is too old, or there is no address."""
    for state in Order.State.values:
        order_in(state, state)
    paid = Order.objects.get(state="paid")
    back = charged(paid, "give_back", amount=7, currency="USD")
    refund(back, 7, state="done", reference="re_1")
    refund(paid.charges.get(decision="take"), 5, state="failed", reference="re_2")
    lapsed = opened(hold(stocked(5, product="lapsed")))
    sell(lapsed)
    charged(lapsed, fact="authorised")
    lapsed.charges.update(fact="void")
    move(lapsed, "cancelled")
    services.confirm(reservation_id=hold(stocked(5, product="own"), 1, "token:7").pk)
    brought(opened(hold(stocked(5, product="quiet")), email=""), "paid")
    old = brought(opened(hold(stocked(5, product="old"))), "paid")
    with pgtrigger.ignore("checkout.Order:order_times_are_kept"):
        Order.objects.filter(pk=old.pk).update(paid_at=timezone.now() - timedelta(days=91))
    call_command("audit_money")
    assert capsys.readouterr().out == "The books balance.\n"


def test_no_receipt_is_missed_that_was_deleted_before_more_messages_were_kept(settings) -> None:
    def paid(days: int) -> Order:
        order = brought(opened(hold(stocked(5, product=f"p-{days}"))), "paid")
        at = timezone.now() - timedelta(days=days)
        with pgtrigger.ignore("checkout.Order:order_times_are_kept"):
            Order.objects.filter(pk=order.pk).update(paid_at=at)
        receipt(order.pk, created_at=at, sent_at=at)
        return order

    paid(31)
    young = paid(29)
    settings.KEEP_MESSAGES_DAYS = 30
    prune()
    pruning.prune()
    assert Message.objects.get().key == f"receipt:{young.pk}"
    settings.KEEP_MESSAGES_DAYS = 90
    for _ in range(2):
        assert found() == []
        # The mark never moves back.
        prune()
    Message.objects.all().delete()
    lost = f"P7 order {young.number}: found paid, no receipt"
    assert found() == [f"{lost}, expected a message receipt:{young.pk}"]


def test_what_was_sold_before_there_were_orders_has_none() -> None:
    early, late = (hold(stocked(5, product=product)) for product in ("early", "late"))
    for sold in (early, late):
        services.confirm(reservation_id=sold.pk)
    assert len(found()) == 2
    [made] = MigrationRecorder.Migration.objects.filter(app="checkout", name__startswith="0005")
    before = {"ended_at": made.applied - timedelta(milliseconds=1)}
    with pgtrigger.ignore("reservations.Reservation:final_is_final"):
        Reservation.objects.filter(pk=early.pk).update(**before)
    assert found() == [f"P1 reservation {late.pk}: found sold in 0 orders, expected 1"]


def test_the_nightly_audit_of_money_keeps_its_findings() -> None:
    """And looks at everything again, since there are some."""
    audit_task()
    services.confirm(reservation_id=hold(stocked(5)).pk)
    audit_task()
    audit_task()
    runs = AuditRun.objects.order_by("pk")
    assert [(run.books, len(run.findings), run.since is None) for run in runs] == [
        ("money", 0, True), ("money", 1, False), ("money", 1, True)
    ]  # fmt: skip
