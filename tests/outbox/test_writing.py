"""What is written in the transaction of its event, and what the database refuses."""

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from allo.outbox import kinds, pruning, sending, tasks
from allo.outbox import services as outbox
from allo.outbox.addresses import BadAddress, checked
from allo.outbox.models import Message
from tests.database.test_parameters import settings_of
from tests.outbox.letters import CONTEXT, put
from tests.reservations.test_privileges import as_the_shop

pytestmark = pytest.mark.django_db


def test_of_one_key_there_is_one_message() -> None:
    first = put("k")
    put("k", to="other@example.org")
    assert Message.objects.get() == first
    assert Message.objects.get().to == "asha@example.org"


def test_a_row_of_key_kind_address_and_context_is_a_message() -> None:
    """Statements of the engine need name no other column."""
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO outbox_message (key, kind, "to", context)'
            " VALUES ('k', 'low_stock', 'asha@example.org', %s)",
            ['{"count": 2, "rows": [], "more": 2}'],
        )
    assert sending.send_due() == 1
    assert mail.outbox[0].subject == "Low stock: 2 rows"


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_never_sent_and_what_is_committed_wakes_a_worker(
    monkeypatch,
) -> None:
    woken: list[object] = []
    monkeypatch.setattr(outbox, "ask", woken.append)
    with transaction.atomic():
        outbox.put(key="k", kind="low_stock", to="asha@example.org", context=CONTEXT)
        assert Message.objects.exists()
        transaction.set_rollback(True)
    assert (sending.send_due(), Message.objects.count(), woken) == (0, 0, [])
    with transaction.atomic():
        outbox.put(key="k", kind="low_stock", to="asha@example.org", context=CONTEXT)
        assert woken == []
    assert woken == [tasks.send_due]
    assert sending.send_due() == 1


@pytest.mark.django_db(transaction=True)
def test_a_message_outside_of_a_transaction_is_refused() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        outbox.put(key="k", kind="low_stock", to="asha@example.org", context=CONTEXT)
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    "address",
    [
        "", "asha", "asha@", "@example.org", "a@b@example.org", "asha@example..org",
        "asha@example.org\nBcc: all@example.org", "asha@example.org, ravi@example.org",
        "Asha <asha@example.org>", '"a,b"@example.org', "a b@example.org", "asha@exa mple.org",
        "आशा@example.org", "asha@\u202eexample.org", "a\x00@example.org", "asha@[127.0.0.1]",
        f"{'a' * 65}@example.org", f"asha@{'x' * 60}.{'x' * 190}",
    ],
)  # fmt: skip
def test_what_is_not_one_plain_address_is_refused(address) -> None:
    with pytest.raises(BadAddress, match="one plain e-mail address"):
        put(to=address)
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    "address", ["o'hara+x@example.org", "root@mailhost", "asha@bücher.example"]
)
def test_other_addresses_are_taken(address) -> None:
    put(to=checked(address))
    assert sending.send_due() == 1


def test_the_shop_does_not_start_with_an_address_of_staff_that_mail_cannot_reach() -> None:
    done = settings_of(STAFF_EMAILS="stock@example.org,asha at example.org")
    assert done.returncode == 1
    assert 'STAFF_EMAILS has "asha at example.org". This is not one plain' in done.stderr


def test_a_kind_that_no_app_registers_is_refused() -> None:
    with pytest.raises(kinds.UnknownKind, match="nonsense"):
        put(kind="nonsense")


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("sent_is_sent", {"sent_at": None}),
        ("sent_is_sent", {"sent_at": Now()}),
        ("sent_is_sent", {"tries": 0}),
    ],
)
def test_a_sent_message_stays_sent(rule, change) -> None:
    put()
    sending.send_due()
    with pytest.raises(IntegrityError, match=rule):
        Message.objects.update(**change)


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("message_stays_as_written", {"to": "other@example.org"}),
        ("message_stays_as_written", {"key": "other"}),
        ("message_stays_as_written", {"kind": "other"}),
        ("message_stays_as_written", {"created_at": "2020-02-02T00:00Z"}),
        ("context_ends_with_sending", {"sent_at": Now()}),
    ],
)
def test_the_database_refuses(rule, change) -> None:
    put()
    with pytest.raises(IntegrityError, match=rule):
        Message.objects.update(**change)


@pytest.mark.parametrize("to", ["a@b.org,c@d.org", "a@b.org\nBcc: c@d.org", "nobody", "a @b.org"])
def test_the_database_takes_one_address_only(to) -> None:
    with pytest.raises(IntegrityError, match="message_to_one_address"):
        Message.objects.create(key="k", kind="low_stock", to=to, context={})


@pytest.mark.django_db(transaction=True)
def test_the_shops_role_writes_sends_and_prunes_but_sends_nothing_again(settings) -> None:
    with as_the_shop(settings):
        put()
        assert sending.send_due() == 1
        with pytest.raises(IntegrityError, match="sent_is_sent"):
            Message.objects.update(sent_at=None)
        pruning.prune()
        outbox.retry_given_up()
