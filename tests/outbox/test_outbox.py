"""What is written in the transaction of its event, and what a mail looks like."""

import os
import re
import time
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models.functions import Now
from django.utils import timezone

from allo.outbox import kinds, letters, pruning, sending, tasks
from allo.outbox import services as outbox
from allo.outbox.addresses import BadAddress, checked
from allo.outbox.models import TRIES, Message, pause_after
from tests.database.test_parameters import settings_of
from tests.outbox.letters import CONTEXT, pass_time, put, written
from tests.reservations.test_privileges import as_the_shop

pytestmark = pytest.mark.django_db


# --- writing ------------------------------------------------------------------------------------


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


# --- the mail -----------------------------------------------------------------------------------


def sent() -> Any:
    assert sending.send_due() == 1
    return mail.outbox[-1]


def test_a_mail_is_text_and_html_of_the_same_facts() -> None:
    put(context={**CONTEXT, "rows": [{**CONTEXT["rows"][0], "name": "<b>Ås & 王</b>"}]})  # type: ignore[index]
    letter = sent()
    assert letter.subject == "Low stock: <b>Ås & 王</b>"
    assert letter.body == "<b>Ås & 王</b>: 2 left, 0 of them held (low from 2)\n"
    [(page, kind)] = letter.alternatives
    assert kind == "text/html"
    assert "<h1>Low stock: &lt;b&gt;Ås &amp; 王&lt;/b&gt;</h1>" in page
    assert "{" not in re.sub(r"<style>.*</style>", "", page, flags=re.DOTALL)


def test_a_mail_is_of_the_time_and_the_key_of_its_message(settings) -> None:
    settings.DEFAULT_FROM_EMAIL = "Allo <shop@allo.example>"
    message, _ = written("k", hours=1), put("other")
    assert sending.send_due() == 2
    headers = [dict(letter.message().items()) for letter in mail.outbox]
    assert re.fullmatch(r"<[0-9a-f]{32}@allo\.example>", headers[0]["Message-ID"])
    assert headers[0]["Message-ID"] != headers[1]["Message-ID"]
    assert headers[0]["Message-ID"] == letters.letter(message).message()["Message-ID"]
    assert headers[0]["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(headers[0]["Date"]) == message.created_at.replace(microsecond=0)


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("Tidal\r\nBcc: all@example.org", "Low stock: Tidal Bcc: all@example.org"),
        ("a\x00\x1b\u2028\u202eb", "Low stock: a b"),
        ("क्‍ष 🦊", "Low stock: क्‍ष 🦊"),
        ("x" * 5000, f"Low stock: {'x' * 138}…"),
    ],
)
def test_a_subject_is_one_line_of_limited_length(name, subject) -> None:
    message = Message(key="k", kind="low_stock", to="asha@example.org", created_at=timezone.now())
    message.context = {**CONTEXT, "rows": [{**CONTEXT["rows"][0], "name": name}]}  # type: ignore[index]
    made = letters.letter(message)
    assert made.subject == subject
    assert made.message()["Bcc"] is None
    assert len(made.subject) <= letters.LONGEST_SUBJECT


def test_what_it_was_about_is_erased_when_it_is_sent() -> None:
    put()
    sent()
    message = Message.objects.get()
    assert (message.context, message.state, message.tries) == ({}, "sent", 1)


def test_each_mail_is_a_file_that_only_its_owner_reads(settings, tmp_path) -> None:
    settings.MAIL_FOLDER = tmp_path / "state" / "mail"
    put()
    sent()
    [file] = settings.MAIL_FOLDER.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert settings.MAIL_FOLDER.stat().st_mode & 0o777 == 0o700
    assert "Tidal in blr-01: 2 left" in file.read_text()


# --- time ---------------------------------------------------------------------------------------


def broken(monkeypatch, kind: str = "broken") -> None:
    """A kind whose facts cannot be made."""
    monkeypatch.setitem(kinds._kinds, kind, lambda context: context["secret-link"])


def test_a_message_that_always_fails_waits_longer_each_time_and_is_given_up_after_a_day(
    monkeypatch,
) -> None:
    broken(monkeypatch)
    put(kind="broken")
    waited = timedelta()
    for tries in range(1, TRIES + 1):
        assert Message.objects.get().state == "waiting"
        sending.send_due()
        message = Message.objects.get()
        pause = message.next_try_at - Message.objects.values_list(Now()).get()[0]
        assert abs(pause - pause_after(tries)) < timedelta(seconds=5)
        assert message.tries == tries
        sending.send_due()
        assert Message.objects.get().tries == tries, "not before its time"
        waited += pause_after(tries)
        pass_time(seconds=pause_after(tries).total_seconds() + 1)
    sending.send_due()
    message = Message.objects.get()
    assert (message.state, message.tries, message.error) == ("given up", TRIES, "KeyError")
    assert timedelta(hours=23) < waited < timedelta(hours=26)
    assert [pause_after(n).seconds for n in (1, 2, 11)] == [5, 10, 3600]


def test_what_was_given_up_is_tried_anew_when_staff_say_so(monkeypatch) -> None:
    for key in "ab":
        put(key)
    Message.objects.filter(key="a").update(tries=TRIES)
    assert [message.key for message in outbox.retry_given_up()] == ["a"]
    assert sending.send_due() == 2


def test_one_message_that_fails_blocks_no_other(monkeypatch) -> None:
    broken(monkeypatch)
    for n in range(3):
        put(f"bad {n}", kind="broken")
    put("good")
    assert sending.send_due() == 1
    assert Message.objects.sent().get().key == "good"


def test_a_run_is_bounded_and_the_next_goes_on(monkeypatch) -> None:
    monkeypatch.setattr(sending, "AT_ONCE", 2)
    for n in range(3):
        put(str(n))
    assert [sending.send_due() for _ in range(3)] == [2, 1, 0]


def test_old_messages_are_deleted_unless_they_wait(settings, tmp_path) -> None:
    for days in (89, 91):
        for state, change in (
            ("sent", {"sent_at": Now()}), ("given up", {"tries": TRIES}), ("waits", {}),
        ):  # fmt: skip
            message = written(f"{state}, {days}", days=days)
            Message.objects.filter(pk=message.pk).update(**change)
    settings.MAIL_FOLDER = tmp_path
    for days in (89, 91):
        file, then = tmp_path / f"{days}.eml", time.time() - days * 86400
        file.touch()
        os.utime(file, (then, then))
    pruning.prune()
    kept = {"sent, 89", "given up, 89", "waits, 89", "waits, 91"}
    assert set(Message.objects.values_list("key", flat=True)) == kept
    assert [file.name for file in tmp_path.iterdir()] == ["89.eml"]


# --- the whole shop -----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_shops_role_writes_sends_and_prunes_but_sends_nothing_again(settings) -> None:
    with as_the_shop(settings):
        put()
        assert sending.send_due() == 1
        with pytest.raises(IntegrityError, match="sent_is_sent"):
            Message.objects.update(sent_at=None)
        pruning.prune()
        outbox.retry_given_up()


@pytest.mark.django_db(transaction=True)
def test_the_outbox_comes_and_goes_with_a_filled_database() -> None:
    put()
    leaves = MigrationExecutor(connection).loader.graph.leaf_nodes()
    MigrationExecutor(connection).migrate([("outbox", None)])
    try:
        assert "outbox_message" not in connection.introspection.table_names()
    finally:
        MigrationExecutor(connection).migrate(leaves)
    put()
    assert sending.send_due() == 1
