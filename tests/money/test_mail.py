"""The mail of real purchases, as it arrives through a mail server."""

import re
from email.message import EmailMessage
from html import unescape

import pytest
from django.conf import settings as shop
from django.test import Client

from allo.outbox import sending
from checkout.orders import cancelling
from tests.money.buying import buy
from tests.stock import pass_time

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

LINK = re.compile(rf"{re.escape(shop.SITE_URL)}(\S+\?key=[\w-]+)")


def parts(mail: EmailMessage) -> tuple[str, str]:
    """Text and page, as a person reads them."""
    text, page = (str(part.get_content()) for part in mail.iter_parts())
    return text, unescape(page)


def amounts(text: str) -> set[str]:
    return set(re.findall(r"₹\s[\d,.]*\d", text))


def test_receipt_once_and_its_link_opens_the_order_in_any_browser(bank, client, mailbox) -> None:
    purchase = buy(bank, client, quantity=2)
    purchase.pays()
    for _ in range(2):
        assert purchase.settle() == "paid"
        sending.send_due()
    [mail] = mailbox.mails
    assert mail["Subject"] == f"Receipt of order {purchase.order.number}"
    assert mailbox.recipients == ["asha@example.org"]
    text, page = parts(mail)
    prices = {f"₹\N{NO-BREAK SPACE}{rupees}" for rupees in ("3,850", "7,700", "1,174.58")}
    assert amounts(text) == amounts(page) == prices
    [link] = LINK.findall(text)
    assert LINK.findall(page) == [link]
    stranger = Client()
    changed = link[:-2] + ("B" if link[-2] == "A" else "A") + link[-1]
    assert stranger.get(changed).status_code == 404
    assert stranger.get(purchase.page().wsgi_request.path).status_code == 404
    opened = stranger.get(link, follow=True)
    assert opened.redirect_chain == [(f"/orders/{purchase.order.number}/", 303)]
    assert "It is yours." in opened.content.decode()
    assert stranger.get(f"/orders/{purchase.order.number}/").status_code == 200


def test_money_that_comes_too_late_is_announced_once_and_no_receipt(bank, client, mailbox) -> None:
    purchase = buy(bank, client)
    pass_time(901)
    purchase.pays("upi")
    for _ in range(2):
        assert purchase.settle() == "dropped"
        sending.send_due()
    [mail] = mailbox.mails
    text, page = parts(mail)
    assert mail["Subject"] == "Your money comes back: ₹ 3,850"
    assert "no longer held for you. Nothing was bought by it" in text
    assert amounts(text) == {"₹\N{NO-BREAK SPACE}3,850"} == amounts(page) - {"₹ 3,850"}


def test_a_cancelled_order_gets_one_mail_that_says_what_goes_back(bank, client, mailbox) -> None:
    purchase = buy(bank, client)
    purchase.pays()
    purchase.settle()
    cancelling.cancel(purchase.order, reason="Broken")
    for _ in range(2):
        purchase.settle()
        while sending.send_due():
            pass
    subjects = [mail["Subject"].partition(purchase.order.number)[0] for mail in mailbox.mails]
    assert subjects == ["Receipt of order ", "Cancelled: order "]
    text, page = parts(mailbox.mails[-1])
    assert "₹\N{NO-BREAK SPACE}3,850, which is all that you paid, goes back to the card" in text
    assert amounts(text) <= amounts(page)
