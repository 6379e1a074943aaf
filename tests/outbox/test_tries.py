"""How often a message is tried, and how long it is kept."""

import os
import time
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from allo.outbox import kinds, pruning, sending
from allo.outbox import services as outbox
from allo.outbox.models import TRIES, Message, pause_after
from tests.outbox.letters import pass_time, put, written

pytestmark = pytest.mark.django_db


def broken(monkeypatch) -> None:
    """A kind whose facts cannot be made."""
    monkeypatch.setitem(kinds._kinds, "broken", lambda context: context["secret-link"])


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


def test_what_was_given_up_is_tried_anew_when_staff_say_so() -> None:
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


def test_a_worker_whose_lease_ran_out_does_not_put_off_what_another_sends() -> None:
    put()
    slow = sending._lease()
    assert slow
    assert sending._lease() is None
    pass_time(minutes=6)
    other = sending._lease()
    assert other
    sending._put_off(slow, ValueError())
    message = Message.objects.get()
    assert (message.claimed_at, message.tries, message.error) == (other.claimed_at, 2, "")
    sending._mark_sent(slow)
    sending._mark_sent(other)
    assert Message.objects.get().state == "sent"
