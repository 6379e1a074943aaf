"""The bank's pages, as forms without a script: what they show, where they lead, what they bar."""

import http.client
import re
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest

from checkout.payments.base import Fact, SessionState
from tests.payments.conftest import Payment


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def leads_to(self) -> str:
        assert self.status == 303, self.text
        return str(self.headers["Location"])


def call(bank, path: str, form: dict[str, str] | None = None, **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", bank.port, timeout=60)
    own = {"Host": f"127.0.0.1:{bank.port}", "Origin": bank.url} | headers
    body = None if form is None else urlencode(form)
    connection.request("GET" if form is None else "POST", path, body, own)
    response = connection.getresponse()
    answer = Answer(response.status, response.headers, response.read().decode())
    connection.close()
    return answer


@pytest.fixture
def page(payment: Payment) -> str:
    return f"/pay/{payment.session.reference}"


def test_it_shows_what_is_paid_until_when_and_runs_no_script(bank, page) -> None:
    answer = call(bank, page)
    text = re.sub(r"<[^>]+>", " ", answer.text)
    for words in (
        "AL-7K3M-9QTX", "2 × Tidal &lt;lamp&gt; &amp; shade", "₹\xa024,900", "₹\xa0999.50",
        "Shipping", "₹\xa025,998.50", "14 minutes remained",
    ):  # fmt: skip
        assert words in text, words
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; base-uri 'none';"
        " frame-ancestors 'none'; form-action 'self' http://127.0.0.1:8000"
    )
    assert answer.headers["Referrer-Policy"] == "same-origin"


def test_paid_it_leads_back_to_the_shop_and_is_paid_once(bank, page, payment) -> None:
    assert call(bank, page, {"way": "card"}).leads_to == payment.invitation.success_url
    assert "This is paid" in call(bank, page).text
    assert call(bank, page, {"way": "card"}).leads_to == page
    assert payment.money.fact is Fact.AUTHORISED


def test_declined_it_says_so_and_can_be_tried_again(bank, page, payment) -> None:
    assert call(bank, page, {"way": "declined"}).leads_to == page
    assert 'role="alert">The card was declined.' in call(bank, page).text
    assert call(bank, page, {"way": "upi"}).leads_to == payment.invitation.success_url
    assert payment.money.fact is Fact.CAPTURED


def test_three_d_secure_is_a_page_of_its_own(bank, page, payment) -> None:
    question = call(bank, page, {"way": "authenticate"}).leads_to
    assert "Is it you?" in call(bank, question).text
    assert call(bank, question, {"approve": "no"}).leads_to == page
    assert "It was not approved." in call(bank, page).text
    assert call(bank, page, {"way": "authenticate"}).leads_to == question
    assert call(bank, question, {"approve": "yes"}).leads_to == payment.invitation.success_url
    assert call(bank, question).leads_to == page
    assert call(bank, question, {"approve": "no"}).leads_to == page
    assert payment.money.fact is Fact.AUTHORISED


def test_too_late_for_three_d_secure_the_shopper_is_led_to_what_became_of_it(
    bank, page, payment
) -> None:
    question = call(bank, page, {"way": "authenticate"}).leads_to
    payment.provider.close(payment.session.reference)
    assert call(bank, question, {"approve": "yes"}).leads_to == page
    assert call(bank, page, {"way": "card"}).leads_to == page
    assert "This page has ended" in call(bank, page).text
    assert payment.look().money == ()


def test_paid_late_it_stays_until_the_shop_has_closed_it(bank, page, payment) -> None:
    assert call(bank, page, {"way": "late"}).leads_to == page
    assert "It is late for this payment" in call(bank, page).text
    payment.provider.close(payment.session.reference)
    ended = call(bank, page)
    assert "This page has ended" in ended.text
    assert f'href="{payment.invitation.cancel_url}"' in ended.text
    assert payment.look().session is SessionState.EXPIRED
    assert payment.money.fact is Fact.AUTHORISED


def test_it_leads_nowhere_but_where_the_shop_said(bank, page, payment) -> None:
    elsewhere = {"way": "card", "success_url": "https://evil.example/", "next": "//evil.example"}
    target = call(bank, f"{page}?success_url=https://evil.example/", elsewhere).leads_to
    assert target == payment.invitation.success_url


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Content-Length": "99999999"}, 413),
    ],
)
def test_other_sites_press_no_button(bank, page, payment, headers, status) -> None:
    assert call(bank, page, {"way": "card"}, **headers).status == status
    assert payment.look().money == ()


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/pay/cs_unknown", None, 404),
        ("/pay/", None, 404),
        ("/authenticate/pi_unknown", None, 404),
        ("/static/../allo/settings/money.py", None, 404),
        ("/static/css/../../README.md", None, 404),
        ("/nothing", None, 404),
        ("/desk/nothing", {"a": "b"}, 404),
        ("/desk/faults", {"hooks": "explode"}, 400),
        ("/control/sessions", None, 401),
        ("/v1/refunds", None, 401),
    ],
)
def test_what_is_not_there_or_not_allowed(bank, path, form, status) -> None:
    assert call(bank, path, form).status == status


def test_an_unknown_way_is_refused(bank, page) -> None:
    assert call(bank, page, {"way": "gold"}).status == 400
    assert call(bank, page, {}).status == 400


def test_the_desk_shows_the_money_and_has_a_button_for_each_deed(bank, payment) -> None:
    reference = payment.pays()
    assert reference in call(bank, "/").text
    assert call(bank, f"/desk/intents/{reference}/lapse", {}).leads_to == "/"
    assert payment.money.fact is Fact.VOID
    assert call(bank, f"/desk/intents/{reference}/lapse", {}).status == 400
    assert call(bank, "/desk/faults", {"slow": "6"}).leads_to == "/"
    assert "End: Answer after 6 seconds" in call(bank, "/").text
    assert call(bank, "/desk/faults", {"slow": "off"}).leads_to == "/"
    assert call(bank, "/static/css/tokens.css").headers["Content-Type"] == "text/css"
