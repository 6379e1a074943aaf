"""The receipt of a paid order: one, and not lost while the mail server is down."""

from math import inf

import pytest

from allo.outbox import sending
from allo.outbox.models import Message
from checkout.settle import settle
from tests.money.buying import buy
from tests.outbox.letters import pass_time
from tests.shopping import BUYER
from tests.smtp import Mailbox, mail_server
from tests.stock import all_at_once

pytestmark = pytest.mark.django_db(transaction=True)


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
