"""Sending through a real mail server, which fails, and by workers that die or meet."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from math import inf
from threading import Barrier, BoundedSemaphore, Event, Semaphore, Thread

import pytest
from django.db import connection, transaction

from allo.outbox import sending
from allo.outbox.models import Message, MessageQuerySet
from tests.outbox.letters import pass_time, put
from tests.running import PROJECT
from tests.server import environment_here
from tests.smtp import Mailbox, mail_server, send_to
from tests.stock import all_at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.fixture
def box(settings, monkeypatch) -> Mailbox:
    """Of a server that is down until a test starts it."""
    rested(monkeypatch)
    box = Mailbox()
    with mail_server(box):
        pass
    send_to(box, settings)
    return box


def rested(monkeypatch) -> None:
    """As long after an attempt that failed as the process leaves a server alone."""
    monkeypatch.setattr(sending, "unreached_at", -inf)


@pytest.fixture
def server(box) -> Iterator[Mailbox]:
    with mail_server(box):
        yield box


def test_a_mail_arrives(server) -> None:
    put()
    assert sending.send_due() == 1
    [mail] = server.mails
    assert (mail["Subject"], mail["To"]) == ("Low stock: Tidal in blr-01", "asha@example.org")
    assert server.recipients == ["asha@example.org"]
    text, page = mail.iter_parts()
    assert text.get_content() == "Tidal in blr-01: 2 left, 0 of them held (low from 2)\r\n"
    assert ">Low stock: Tidal in blr-01</h1>" in page.get_content()


def test_while_the_server_is_down_nothing_is_lost_and_then_all_is_sent_once(
    box, monkeypatch
) -> None:
    for n in range(3):
        put(str(n))
    for _ in range(2):
        assert sending.send_due() == 0
    assert sum(Message.objects.values_list("tries", flat=True)) == 1, "one try shows it"
    assert Message.objects.filter(error="ConnectionRefusedError").count() == 1
    rested(monkeypatch)
    with mail_server(box):
        assert sending.send_due() == 2
        pass_time(seconds=6)
        assert sending.send_due() == 1
        pass_time(days=1)
        assert sending.send_due() == 0
    assert len({mail["Message-ID"] for mail in box.mails}) == len(box.mails) == 3


def test_a_recipient_that_the_server_refuses_blocks_no_other(server) -> None:
    server.refuses.add("nobody@")
    put("bad", to="nobody@example.org")
    put("good")
    assert sending.send_due() == 1
    bad = Message.objects.get(key="bad")
    assert (bad.state, bad.error) == ("waiting", "SMTPRecipientsRefused 550")
    assert [mail["To"] for mail in server.mails] == ["asha@example.org"]


def test_a_mail_at_which_the_server_hangs_up_blocks_no_other(server, monkeypatch) -> None:
    server.on_data = lambda: True
    put("bad")
    put("good")
    assert sending.send_due() == 0
    assert Message.objects.get(key="bad").error == "SMTPServerDisconnected"
    server.on_data = bool
    rested(monkeypatch)
    assert sending.send_due() == 1
    assert Message.objects.sent().get().key == "good"


def test_a_worker_killed_before_it_marks_a_mail_sends_it_again_under_the_same_id(
    server, tmp_path
) -> None:
    put()
    process = subprocess.run(
        [sys.executable, "-m", "tests.outbox.doomed"],
        cwd=PROJECT, capture_output=True, timeout=60, check=False,
        env=environment_here(EMAIL_URL=f"smtp://127.0.0.1:{server.port}", STATE_DIR=str(tmp_path)),
    )  # fmt: skip
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    assert len(server.mails) == len([*(tmp_path / "mail").iterdir()]) == 1
    assert sending.send_due() == 0, "the lease lasts"
    pass_time(minutes=6)
    assert sending.send_due() == 1
    first, again = server.mails
    assert first["Message-ID"] == again["Message-ID"]
    assert first["Date"] == again["Date"]


def test_what_one_worker_is_sending_no_other_sends(server) -> None:
    sending_it, let_go = Event(), Event()

    def wait() -> None:
        sending_it.set()
        assert let_go.wait(30)

    server.on_data = wait
    put()

    def send() -> None:
        sending.send_due()
        connection.close()

    worker = Thread(target=send)
    worker.start()
    try:
        assert sending_it.wait(30)
        with transaction.atomic():
            free = Message.objects.select_for_update(nowait=True).get()
        assert free.claimed_at, "leased, and nothing is locked while it is sent"
        assert sending.send_due() == 0
    finally:
        let_go.set()
        worker.join()
    assert Message.objects.get().state == "sent"
    assert len(server.mails) == 1


def test_a_slow_server_occupies_two_threads_and_no_more(server) -> None:
    slow, sending_it, let_go = iter(range(2)), Semaphore(0), Event()

    def wait() -> None:
        if next(slow, None) is not None:
            sending_it.release()
            let_go.wait(30)

    def send() -> int:
        try:
            return sending.send_due()
        finally:
            connection.close()

    server.on_data = wait
    for n in range(3):
        put(str(n))
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(send) for _ in range(2)]
        try:
            assert all(sending_it.acquire(timeout=30) for _ in runs)
            assert sending.send_due() == 0
            assert Message.objects.filter(tries=0).count() == 1
        finally:
            let_go.set()
        assert sum(run.result() for run in runs) == 3
    put("later")
    assert sending.send_due() == 1
    assert len(server.mails) == 4


def test_a_run_on_a_slow_server_ends_with_its_turn_and_the_next_goes_on(
    server, monkeypatch
) -> None:
    monkeypatch.setattr(sending, "TURN", 0.1)
    server.on_data = lambda: time.sleep(0.2)
    for n in range(2):
        put(str(n))
    assert [sending.send_due() for _ in range(3)] == [1, 1, 0]


def test_a_locked_message_is_left_to_its_worker_and_the_others_are_sent(server) -> None:
    put("locked")
    put("free")
    with transaction.atomic():
        Message.objects.select_for_update().get(key="locked")
        assert all_at_once(1, lambda _: sending.send_due()) == [1]
    assert sending.send_due() == 1
    assert len(server.mails) == 2


def test_of_many_workers_at_once_one_sends_each_mail(server, monkeypatch) -> None:
    # As in processes of their own.
    monkeypatch.setattr(sending, "_sending", BoundedSemaphore(6))
    for n in range(4):
        put(str(n))
    counts = all_at_once(6, lambda _: sending.send_due())
    assert sum(count for count in counts if isinstance(count, int)) == 4
    assert len(server.mails) == 4


def test_without_the_lock_two_would_send_the_same_mail(server, monkeypatch) -> None:
    """The control of the test above."""
    read_by_both, leased_by_both = Barrier(2), Barrier(2)
    send = sending._send

    def unlocked(rows: MessageQuerySet, **_: object) -> MessageQuerySet:
        found = [row.pk for row in rows[:1]]
        if found:
            read_by_both.wait(30)
        return Message.objects.filter(pk__in=found)

    def together(message: Message) -> None:
        leased_by_both.wait(30)
        send(message)

    monkeypatch.setattr(MessageQuerySet, "select_for_update", unlocked)
    monkeypatch.setattr(sending, "_send", together)
    put()
    all_at_once(2, lambda _: sending.send_due())
    assert len(server.mails) == 2
