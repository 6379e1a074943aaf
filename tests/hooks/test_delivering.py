"""Each event is delivered, whatever the receiver does, and to nobody else."""

import json
import ssl
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
from django.core import mail
from django.db import connection, transaction
from django.utils import timezone

from allo.outbox import pruning, sending
from allo.outbox.hooks import delivering, services
from allo.outbox.models import TRIES, Delivery, Event, Told, Webhook
from tests.hooks.hearing import SECRET, hears, killed, pass_time
from tests.hooks.receiver import Handler, Receiver, answers, drips, receiver
from tests.reservations.test_verbs import hold
from tests.stock import stocked

pytestmark = pytest.mark.django_db

REFUSES = answers(500, b"no \0 way <b>")


@pytest.fixture(autouse=True)
def _to_this_machine(settings) -> None:
    settings.WEBHOOK_PRIVATE = True
    settings.WEBHOOK_TIMEOUT_SECONDS = 60


@pytest.fixture
def there() -> Receiver:  # type: ignore[misc]
    with receiver() as kept:
        yield kept


def tell(subject: str, kind: str = "reservation.created", **data: object) -> Event:
    """An event for all webhooks."""
    event = Event.objects.create(kind=kind, subject=subject, at=timezone.now(), data=data)
    for webhook in Webhook.objects.kept():
        Delivery.objects.create(event=event, webhook=webhook, subject=subject)
    event.refresh_from_db()
    return event


def subjects(receiver: Receiver) -> list[str]:
    return [post.verified()["data"]["n"] for post in receiver.posts]


def test_an_event_is_posted_signed_and_once(there) -> None:
    hears(url=there.url)
    event = tell("a", n="1")
    assert (delivering.deliver_due(), delivering.deliver_due()) == (1, 0)
    [post] = there.posts
    said = post.verified()
    assert said == {"type": "reservation.created", "data": {"n": "1"},
                    "timestamp": event.at.isoformat().replace("+00:00", "Z")}  # fmt: skip
    assert post.headers["webhook-id"] == f"evt_{event.uid}"
    assert post.headers["content-type"] == "application/json"
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.status, delivery.answer, delivery.tries) == (
        "delivered", 200, "thank you", 1,
    )  # fmt: skip
    with pytest.raises(Exception, match="signature"):
        post.verified("whsec_b3RoZXI=")


def test_a_webhook_whose_events_cannot_be_signed_holds_up_no_other(there, monkeypatch) -> None:
    monkeypatch.setattr(delivering, "THREADS", 1)
    hears(url=there.url)
    Webhook.objects.update(secret="whsec_")
    hears(url=there.url)
    tell("a", n="1")
    assert delivering.deliver_due() == 1
    [failed] = Delivery.objects.waiting()
    assert failed.error == "The shop could not post it: EmptyWebhookSecretError"


def test_after_a_change_of_the_secret_both_sign_for_a_day(there) -> None:
    webhook = hears(url=there.url)
    new = services.rotate(webhook)
    tell("a", n="1")
    delivering.deliver_due()
    [post] = there.posts
    assert post.verified(SECRET) == post.verified(new)
    pass_time(hours=25)
    tell("a", n="2")
    delivering.deliver_due()
    assert there.posts[1].verified(new)["data"] == {"n": "2"}
    with pytest.raises(Exception, match="signature"):
        there.posts[1].verified(SECRET)


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (REFUSES, 500, ""),
        (answers(301, Location="http://127.0.0.1:1/"), 301, ""),
        (answers(404), 404, ""),
        (answers(200, b"x" * 100_000), 200, ""),
        (drips, None, "No whole answer within 1 s"),
        (lambda h: h.wfile.write(b"220 smtp\r\n\r\n"), None, "properly (BadStatusLine)"),
        (lambda h: h.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 999), None,
         "properly (HTTPException)"),
        (lambda h: h.wfile.write(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 99_999), None,
         "properly (LineTooLong)"),
    ],
    ids=["500", "301", "404", "long", "drips", "garbage", "headers", "header"],
)  # fmt: skip
def test_what_a_receiver_answers_is_kept_and_bounded(
    there, settings, answer, status, error
) -> None:
    there.answer = answer
    if answer is drips:
        settings.WEBHOOK_TIMEOUT_SECONDS = 1
    hears(url=there.url)
    tell("a", n="1")
    assert delivering.deliver_due() == (status == 200)
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.tries, len(delivery.answer) <= 500) == (status, 1, True)
    assert error in delivery.error
    # Within its short limit, the one that drips may not even have read what was posted.
    assert len(there.posts) == 1 or (answer is drips and not there.posts), "no redirect is followed"


def test_a_redirect_leads_nowhere(there) -> None:
    with receiver(answers(307, Location=there.url)) as first:
        hears(url=first.url)
        tell("a", n="1")
        assert delivering.deliver_due() == 0
        assert (len(first.posts), there.posts) == (1, [])


def test_a_certificate_has_to_be_valid_and_of_the_name(monkeypatch) -> None:
    certificate = Path(__file__).with_name("localhost.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with receiver(tls=tls) as there:
        webhook = hears(url=f"https://localhost:{there.port}/")
        tell("a", n="1")
        assert delivering.deliver_due() == 0
        assert "certificate is not valid: self-signed" in Delivery.objects.get().error
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        Webhook.objects.update(url=f"https://127.0.0.1:{there.port}/", next_try_at=timezone.now())
        assert delivering.deliver_due() == 0
        assert "IP address mismatch" in Delivery.objects.get().error
        Webhook.objects.update(url=webhook.url, next_try_at=timezone.now())
        assert delivering.deliver_due() == 1
        assert there.kinds == ["reservation.created"]


def test_of_a_receiver_that_is_down_for_an_hour_nothing_is_lost_and_the_order_stays() -> None:
    webhook = hears(url="http://127.0.0.1:1/")
    for n in range(6):
        tell("ab"[n % 2], n=f"{n}")
    tries, passed = 0, 0.0
    while passed < 3600:
        assert delivering.deliver_due() == 0
        webhook.refresh_from_db()
        tries += 1
        assert (webhook.failures, webhook.state) == (tries, "failing")
        rest = (webhook.next_try_at - timezone.now()).total_seconds()
        assert delivering.deliver_due() == 0
        pass_time(seconds=rest + 1)
        passed += rest + 1
    assert Delivery.objects.get(event__data__n="0").error == "It takes no connection"
    assert 8 <= tries <= 12, "ever more rarely"
    with receiver() as there:
        Webhook.objects.update(url=there.url)
        assert delivering.deliver_due() == 6
        assert subjects(there) == ["0", "1", "2", "3", "4", "5"]
    webhook.refresh_from_db()
    assert (webhook.state, webhook.failures, webhook.failing_since) == ("live", 0, None)


def test_an_event_that_is_refused_holds_up_its_subject_alone(there) -> None:
    def picky(handler: Handler) -> None:
        (REFUSES if '"n":"bad"' in there.posts[-1].body else answers())(handler)

    there.answer = picky
    hears(url=there.url)
    for subject, n in (("a", "bad"), ("a", "after"), ("b", "1"), ("b", "2")):
        tell(subject, n=n)
    assert delivering.deliver_due() == 0
    later = timezone.now() + timedelta(hours=1)
    Delivery.objects.filter(tries=1).update(next_try_at=later)
    Webhook.objects.update(next_try_at=timezone.now())
    assert delivering.deliver_due() == 2
    assert subjects(there) == ["bad", "1", "2"]
    Delivery.objects.filter(event__data__n="bad").update(tries=TRIES - 1)
    pass_time(hours=2)
    assert delivering.deliver_due() == 0
    assert Delivery.objects.given_up().get().event.data == {"n": "bad"}
    pass_time(hours=2)
    assert delivering.deliver_due() == 1
    assert subjects(there)[-2:] == ["bad", "after"]


def test_what_waits_behind_a_refused_event_is_not_looked_for_again_and_again(
    there, django_assert_max_num_queries
) -> None:
    there.answer = REFUSES
    hears(url=there.url)
    tell("a", n="bad")
    tell("a", n="after")
    delivering.deliver_due()
    Webhook.objects.update(next_try_at=timezone.now())
    with django_assert_max_num_queries(6):
        assert delivering.deliver_due() == 0


def test_after_an_outage_of_refusals_nothing_waits_for_its_own_pause(there) -> None:
    there.answer = REFUSES
    hears(url=there.url)
    tell("a", n="1")
    for n in range(5):
        tell("a" if n % 2 else "b", n=f"{n + 2}")
    for _ in range(3):
        delivering.deliver_due()
        pass_time(hours=1)
    delivering.deliver_due()
    Webhook.objects.update(next_try_at=timezone.now())
    there.answer = answers()
    tell("c", n="7")
    assert delivering.deliver_due() == 7


def test_after_a_day_of_failures_it_is_paused_staff_are_mailed_and_nothing_is_lost(
    there, settings
) -> None:
    settings.STAFF_EMAILS = ["ops@example.org"]
    webhook = hears(url="http://127.0.0.1:1/")
    tell("a", n="1")
    delivering.deliver_due()
    pass_time(hours=23, minutes=30)
    delivering.deliver_due()
    webhook.refresh_from_db()
    assert webhook.state == "failing"
    pass_time(hours=1)
    delivering.deliver_due()
    webhook.refresh_from_db()
    assert (webhook.state, webhook.paused_why) == ("paused", "Nothing was delivered for a day")
    tell("a", n="2")
    pass_time(hours=2)
    assert delivering.deliver_due() == 0
    sending.send_due()
    [letter] = mail.outbox
    assert letter.subject == "The webhook ERP is paused"
    assert "Events that wait for it: 1. They are kept for 30 days." in letter.body
    Webhook.objects.update(url=there.url)
    assert services.resume(webhook)
    assert delivering.deliver_due() == 2
    assert subjects(there) == ["1", "2"]


def test_an_event_that_was_given_up_does_not_make_a_later_failure_the_last_of_a_day(there) -> None:
    webhook = hears(url=there.url)
    there.answer = REFUSES
    tell("a", n="bad")
    delivering.deliver_due()
    Delivery.objects.update(tries=TRIES - 1)
    pass_time(hours=23)
    delivering.deliver_due()
    webhook.refresh_from_db()
    assert Delivery.objects.given_up().exists()
    assert (webhook.state, webhook.failing_since) == ("live", None)
    pass_time(hours=48)
    tell("b", n="1")
    delivering.deliver_due()
    webhook.refresh_from_db()
    assert (webhook.state, webhook.failures) == ("failing", 1)
    there.answer = answers()
    pass_time(hours=1)
    assert delivering.deliver_due() == 1


def test_while_another_event_waits_one_that_is_given_up_leaves_the_webhook_failing(there) -> None:
    webhook = hears(url=there.url)
    there.answer = REFUSES
    tell("a", n="bad")
    tell("b", n="1")
    delivering.deliver_due()
    Delivery.objects.filter(event__data__n="bad").update(tries=TRIES - 1)
    Webhook.objects.update(next_try_at=timezone.now())
    pass_time(hours=2)
    delivering.deliver_due()
    webhook.refresh_from_db()
    assert Delivery.objects.given_up().exists()
    assert webhook.state == "failing"


def test_after_an_outage_the_first_refusal_does_not_give_up_an_event(there) -> None:
    hears(url="http://127.0.0.1:1/")
    tell("a", n="1")
    delivering.deliver_due()
    Delivery.objects.update(tries=TRIES - 1)
    there.answer = REFUSES
    Webhook.objects.update(url=there.url, next_try_at=timezone.now())
    assert delivering.deliver_due() == 0
    delivery = Delivery.objects.get()
    assert (len(there.posts), delivery.tries, delivery.given_up_at) == (1, 1, None)


def test_what_staff_resume_has_all_its_tries_again(there) -> None:
    there.answer = REFUSES
    webhook = hears(url=there.url)
    tell("a", n="1")
    delivering.deliver_due()
    Delivery.objects.update(tries=TRIES - 1)
    assert services.pause(webhook)
    assert services.resume(webhook)
    assert delivering.deliver_due() == 0
    delivery = Delivery.objects.get()
    assert (len(there.posts), delivery.tries, delivery.given_up_at) == (2, 1, None)


def test_a_receiver_that_says_it_is_gone_is_paused_at_once(there) -> None:
    there.answer = answers(410)
    webhook = hears(url=there.url)
    tell("a", n="1")
    delivering.deliver_due()
    webhook.refresh_from_db()
    assert webhook.paused_why == "It answered that it is gone (410)"


def test_what_leads_to_a_private_network_is_refused_when_it_is_connected(there, settings) -> None:
    settings.WEBHOOK_PRIVATE = False
    hears(url=there.url)
    tell("a", n="1")
    assert delivering.deliver_due() == 0
    assert Delivery.objects.get().error == "It leads to an address that is not public."
    assert there.posts == []


def test_what_has_ended_or_is_paused_gets_nothing_and_sent_again_is_the_same_event(there) -> None:
    webhook = hears(url=there.url)
    event = tell("a", n="1")
    assert services.pause(webhook)
    assert (services.pause(webhook), delivering.deliver_due()) == (False, 0)
    assert services.resume(webhook)
    delivering.deliver_due()
    services.send_again(Delivery.objects.get())
    assert delivering.deliver_due() == 1
    ids = {post.headers["webhook-id"] for post in there.posts}
    assert (ids, len(there.posts)) == ({f"evt_{event.uid}"}, 2)
    services.test(webhook)
    delivering.deliver_due()
    assert there.posts[-1].verified()["type"] == "webhook.test"
    tell("a", n="2")
    assert services.end(webhook)
    webhook.refresh_from_db()
    assert (delivering.deliver_due(), webhook.secret, webhook.state) == (0, "", "ended")
    assert Delivery.objects.given_up().count() == 1
    assert [act(webhook) for act in (services.end, services.resume, services.pause)] == [False] * 3


def test_old_events_are_deleted_with_their_deliveries(there) -> None:
    webhook = hears(url=there.url)
    for days in (29, 31):
        then = timezone.now() - timedelta(days=days)
        old = Event.objects.create(kind="stock.low", subject="a", at=then, data={"n": days})
        Delivery.objects.create(event=old, webhook=webhook, subject="a")
        Told.objects.create(created_at=then, events=f"[{days}]")
    pruning.prune()
    assert [each.data["n"] for each in Event.objects.all()] == [29]
    assert Delivery.objects.count() == 1
    assert Told.objects.get().events == "[29]"


# --- with commits, threads and processes --------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_no_event_is_delivered_before_its_commit(there) -> None:
    hears("reservation.created", url=there.url)
    row = stocked(3)
    with transaction.atomic():
        hold(row)
        assert Told.objects.count() == 1
        assert elsewhere() == 0
    assert there.posts == []
    assert elsewhere() == 1
    assert there.kinds == ["reservation.created"]


def elsewhere() -> int:
    """In a thread, with a connection of its own."""
    delivered: list[int] = []

    def deliver() -> None:
        delivered.append(delivering.deliver_due())
        connection.close()

    thread = Thread(target=deliver)
    thread.start()
    thread.join()
    return delivered[0]


@pytest.mark.django_db(transaction=True)
def test_what_is_told_while_it_delivers_is_delivered_in_the_same_run(there) -> None:
    def tells_more(handler: Handler) -> None:
        if len(there.posts) == 1:
            told("second")
            connection.close()
        answers()(handler)

    there.answer = tells_more
    hears("stock.low", url=there.url)
    told("first")
    assert delivering.deliver_due() == 2
    assert subjects(there) == ["first", "second"]


def told(n: str) -> None:
    events = [["stock.low", "stock:1", "2026-01-01T00:00:00Z", {"n": n}]]
    Told.objects.create(events=json.dumps(events))


@pytest.mark.django_db(transaction=True)
def test_a_slow_receiver_keeps_nobody_else_waiting(there) -> None:
    served: list[int] = []

    def until_the_others_are_served(handler: Handler) -> None:
        there.wait(3)
        served.append(len(there.posts))
        answers()(handler)

    with receiver(until_the_others_are_served) as slow:
        hears(url=slow.url)
        hears(url=there.url)
        for n in range(3):
            tell(f"{n}", n=f"{n}")
        assert delivering.deliver_due() == 6
    assert served == [3, 3, 3]


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_killed_while_it_sends_the_event_comes_again_under_its_name(there) -> None:
    hears(url=there.url)
    event = tell("a", n="1")
    killed("before_a_post_is_noted")
    assert (len(there.posts), Delivery.objects.get().state) == (1, "waiting")
    assert delivering.deliver_due() == 0, "the lease of the one that died"
    pass_time(seconds=61)
    assert delivering.deliver_due() == 1
    assert [post.headers["webhook-id"] for post in there.posts] == [f"evt_{event.uid}"] * 2
