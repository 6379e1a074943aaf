"""The receipt of a paid order: one, and not lost while the mail server is down."""

from math import inf
from uuid import uuid4

import pytest

from allo.outbox import sending
from allo.outbox import services as outbox
from allo.outbox.models import Message
from checkout import mail, recording
from checkout.models import Charge, Order, Payment
from checkout.settle import settle
from tests.money.buying import buy
from tests.outbox.letters import pass_time
from tests.shopping import BUYER
from tests.smtp import Mailbox, mail_server
from tests.stock import all_at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unhurried")]


@pytest.fixture
def box(settings, monkeypatch) -> Mailbox:
    """Of a server that is down until it is started."""
    monkeypatch.setattr(sending, "unreached_at", -inf)
    box = Mailbox()
    with mail_server(box):
        pass
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.port
    return box


def test_one_receipt_however_often_it_is_settled_and_none_is_lost(
    bank, client, box, monkeypatch
) -> None:
    purchase = buy(bank, client)
    purchase.pays()
    payment = purchase.payment.pk
    assert set(all_at_once(4, lambda _: settle(payment).state)) == {"paid"}
    assert sending.send_due() == 0
    waiting = Message.objects.get()
    assert (waiting.kind, waiting.state, waiting.tries) == ("receipt", "waiting", 1)
    # The worker that leases it next is killed before it has sent anything.
    monkeypatch.setattr(sending, "unreached_at", -inf)
    pass_time(hours=1)
    assert sending._lease() == waiting
    with mail_server(box):
        assert sending.send_due() == 0
        pass_time(hours=1)
        assert sending.send_due() == 1
        settle(payment)
        assert sending.send_due() == 0
    (mail,) = box.mails
    assert mail["To"] == BUYER["email"]
    text = mail.get_body(("plain",))
    assert text
    assert purchase.order.number in text.get_content()
    assert Message.objects.get().state == "sent"


put, pay = outbox.put, recording._pay
GUARDS = {
    "written with the move to paid": lambda patch: patch.setattr(
        recording, "_pay", without_looking_at_the_state
    ),
    "one message for a key": lambda patch: patch.setattr(
        outbox, "put", lambda **said: put(**{**said, "key": str(uuid4())})
    ),
}


def without_looking_at_the_state(order: Order, charge: Charge, payment: Payment) -> None:
    if order.state == Order.State.PAID:
        mail.receipt(order)
    pay(order, charge, payment)


@pytest.mark.parametrize("removed", [[], *([guard] for guard in GUARDS), [*GUARDS]], ids=", ".join)
def test_each_of_two_guards_alone_keeps_it_to_one_receipt(
    bank, client, monkeypatch, removed
) -> None:
    """Without both, which is the negative control, there is one for each look."""
    for guard in removed:
        GUARDS[guard](monkeypatch)
    purchase = buy(bank, client)
    purchase.pays()
    for _ in range(3):
        assert purchase.settle() == "paid"
    receipts = Message.objects.filter(kind="receipt").count()
    assert receipts > 2 if len(removed) == len(GUARDS) else receipts == 1
