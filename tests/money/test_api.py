"""Programs pay through the API: once, whatever is lost, repeated, or sent at the same time."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from unittest.mock import Mock

import pytest
from django.test import Client

from checkout import clock, closing, recording, settle
from checkout.api import attempts, outcomes
from checkout.audit import audit_money
from checkout.models import Charge, Order, Payment
from checkout.orders import links, opening
from checkout.payments import providers
from checkout.payments.base import Unreachable
from checkout.payments.stripe import Stripe
from reservations import services
from reservations.api import tokens
from reservations.clock.audit import audit_stock
from reservations.models import IdempotencyKey
from tests.money.buying import buy, miss
from tests.money.programs import DECLINED, SECURE, VISA, Program, key, program
from tests.shopping import holding
from tests.stock import all_at_once, pass_time, stocked

pytestmark = pytest.mark.django_db(transaction=True)

TOTAL = 770_000
SOLD = [("authorised", TOTAL), ("captured", TOTAL)]
LET_GO = [("authorised", TOTAL), ("released", TOTAL)]
CONFIRMED, PAID_BEFORE = (200, "confirmed"), (409, "not_pending")
REFUSED, UNDECIDED = (402, "payment_declined"), (503, "payment_undecided")
ADDRESS = {"line1": "12 MG Road", "city": "Bengaluru", "region": "KA", "pin": "560001"}
ASHA = {"name": "Asha Rao", "email": "asha@example.org", "phone": "98450 12345"}


@pytest.fixture(autouse=True)
def audits_are_clean():
    yield
    assert (audit_money(), audit_stock()) == ([], [])


def is_sold_once(it: Program) -> None:
    assert it.units == (3, 0)
    assert it.order.state == "paid"
    assert [moves for moves in it.moves if ("captured", TOTAL) in moves] == [SOLD]
    assert Charge.objects.filter(order=it.order, decision="take").count() == 1


def test_a_plain_confirm_pays_at_the_bank_for_collection_and_shows_its_order(bank) -> None:
    it = program(bank)
    assert it.call().json()["order"] is None
    answer = it.call("/confirm")
    said = answer.json()
    assert (answer.status_code, said["status"], said["order"]) == (
        200, "confirmed", it.order.number,
    )  # fmt: skip
    is_sold_once(it)
    assert (it.order.is_collected, it.order.email, it.order.total_paise) == (True, "", TOTAL)
    assert it.call().json() == said
    assert it.confirm() == PAID_BEFORE
    assert it.confirm(key=key()) == PAID_BEFORE


@pytest.mark.parametrize("method", [VISA, "pm_upi"])
def test_a_buyer_with_an_address_gets_it_sent(bank, settings, method) -> None:
    settings.SHIPPING_PAISE = 5_000
    it = program(bank)
    assert it.confirm(method, buyer={**ASHA, "address": ADDRESS}) == CONFIRMED
    order = it.order
    assert (order.state, order.total_paise, order.city, order.phone, order.by_program) == (
        "paid", TOTAL + 5_000, "Bengaluru", "+919845012345", True,
    )  # fmt: skip
    assert it.moves == [[("authorised", TOTAL + 5_000), ("captured", TOTAL + 5_000)]]


def test_paid_on_delivery_it_is_placed_for_a_buyer_who_collects() -> None:
    it = program()
    assert it.confirm("pm_any") == (422, "invalid")
    assert it.confirm(buyer=ASHA) == CONFIRMED
    assert (it.order.state, it.order.name, it.order.is_collected) == ("paid", "Asha Rao", True)
    assert Charge.objects.get().reference == it.order.number


@pytest.mark.parametrize(
    ("buyer", "field"),
    [
        ({**ASHA, "email": "asha"}, "buyer.email"),
        ({**ASHA, "phone": "12"}, "buyer.phone"),
        ({**ASHA, "name": "\u200b"}, "buyer.name"),
        ({**ASHA, "name": "a\0b"}, "buyer.name"),
        ({**ASHA, "name": "\ud800"}, "buyer.name"),
        ({**ASHA, "name": 7}, "buyer.name"),
        ({**ASHA, "city": "Goa"}, "buyer.city"),
        ({**ASHA, "address": {**ADDRESS, "pin": "56000"}}, "buyer.address.pin"),
        ({**ASHA, "address": {**ADDRESS, "region": "ZZ"}}, "buyer.address.region"),
        ({**ASHA, "address": {**ADDRESS, "line1": " "}}, "buyer.address.line1"),
        ({**ASHA, "address": {"line1": "12 MG Road"}}, "buyer.address.city"),
        ({"email": "asha@example.org"}, "buyer.name"),
        ("Asha", "buyer"),
    ],
)  # fmt: skip
def test_a_wrong_buyer_is_named_by_its_field_and_nothing_is_ordered(buyer, field) -> None:
    it = program()
    answer = it.call("/confirm", {"buyer": buyer}, key())
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert field in [error["field"] for error in answer.json()["errors"]], answer.json()
    assert not Order.objects.exists()
    assert not IdempotencyKey.objects.filter(endpoint="api:confirm").exists()
    it.hold.refresh_from_db()
    assert (it.hold.status, it.hold.paying_since) == ("pending", None)


@pytest.mark.parametrize("body", [[], "x", 7, None, {"card": "4242"}, {"payment_method": ""}])
def test_a_wrong_body_is_refused(body) -> None:
    it = program()
    raw = b"null" if body is None else None
    headers = {"Authorization": f"Bearer {it.token}"}
    answer = (
        Client().generic(
            "POST", f"/api/reservations/{it.hold.pk}/confirm", raw, "application/json",
            headers=headers,
        )
        if raw
        else it.call("/confirm", body)
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_a_merchants_token_collects_its_own_money_and_takes_no_body() -> None:
    it = program()
    secret = tokens.create(name="Chai & Co", scopes=["read", "reserve", "confirm"])[1]
    own = {"Authorization": f"Bearer {secret}"}
    wanted = {"product": "tidal", "quantity": 1}
    held = Client().post("/api/reservations", wanted, "application/json", headers=own).json()
    it.token, it.hold.pk = secret, held["id"]
    assert it.confirm(buyer=ASHA) == (403, "forbidden")
    first, again = (it.call("/confirm", key="k") for _ in range(2))
    assert (first.json()["status"], first.json()["order"]) == ("confirmed", None)
    assert first.content == again.content
    assert it.call().json()["order"] is None
    assert not Order.objects.exists()


# --- retries ------------------------------------------------------------------------------------


def test_declined_is_the_answer_again_until_another_key_pays(bank) -> None:
    it, first, second = program(bank), key(), key()
    for _ in range(2):
        assert it.confirm(DECLINED, first) == REFUSED
        bank.control("forget-keys")
    reference = it.order.payments.get().session_ref
    assert len(bank.books("charge", intent=reference)) == 1
    it.hold.refresh_from_db()
    assert it.hold.is_pending
    assert it.confirm(VISA, second) == CONFIRMED
    is_sold_once(it)
    assert it.confirm(DECLINED, first) == REFUSED
    assert it.confirm(VISA, second) == CONFIRMED
    assert it.confirm(VISA, first) == (409, "idempotency_conflict")
    assert it.confirm(VISA, key()) == PAID_BEFORE
    assert it.moves == [[], SOLD]


def test_the_answer_under_a_key_is_the_same_to_the_byte(bank) -> None:
    it, mine = program(bank), key()
    first, again = (it.call("/confirm", key=mine) for _ in range(2))
    assert first.content == again.content
    replays = [answer.headers.get("Idempotent-Replay") for answer in (first, again)]
    assert replays == [None, "true"]
    assert {answer.headers["Cache-Control"] for answer in (first, again)} == {"private, no-store"}


def test_without_a_key_what_was_declined_is_paid_anew_by_another_method(bank) -> None:
    it = program(bank)
    assert it.confirm(DECLINED) == REFUSED
    assert it.confirm(DECLINED) == REFUSED
    assert it.confirm() == CONFIRMED
    is_sold_once(it)


def test_an_unknown_method_is_named_and_another_key_pays(bank) -> None:
    it, mine = program(bank), key()
    for _ in range(2):
        answer = it.call("/confirm", {"payment_method": "pm_unknown"}, mine)
        assert answer.json()["errors"][0]["field"] == "payment_method"
        assert answer.status_code == 422
    assert it.confirm(VISA, key()) == CONFIRMED
    is_sold_once(it)


def test_a_buyer_who_approves_has_paid_and_one_who_does_not_is_declined(bank) -> None:
    it, mine = program(bank), key()
    needed = it.call("/confirm", {"payment_method": SECURE}, mine)
    assert (needed.status_code, needed.json()["code"]) == (402, "authentication_required")
    assert needed.json()["authentication_url"].startswith(f"{bank.url}/authenticate/")
    assert it.call("/confirm", {"payment_method": SECURE}, mine).json() == needed.json()
    bank.control(f"intents/{it.order.payments.get().session_ref}/reject")
    assert it.confirm(SECURE, mine) == REFUSED
    other = key()
    assert it.confirm(SECURE, other) == (402, "authentication_required")
    assert it.confirm() == (402, "authentication_required")
    payment = it.order.payments.get(closed_at=None)
    bank.control(f"intents/{payment.session_ref}/approve")
    assert it.confirm(SECURE, other) == CONFIRMED
    is_sold_once(it)


def test_what_the_same_key_opens_meanwhile_is_not_taken_for_anothers(bank, monkeypatch) -> None:
    """The order is read before the key. Between the two another request under it runs."""
    it, mine, reads = program(bank), key(), []
    real = {name: getattr(attempts, name) for name in ("_last_payment", "stored_reply")}

    def read(name: str) -> Callable[[Any], Any]:
        def after_another_request(about: Any) -> Any:
            reads.append(name)
            if len(reads) == 2:
                assert it.confirm(SECURE, mine) == (402, "authentication_required")
            return real[name](about)

        return after_another_request

    for name in real:
        monkeypatch.setattr(attempts, name, read(name))
    assert it.confirm(SECURE, mine) == (402, "authentication_required")
    assert it.order.payments.get().closed_at is None


@pytest.mark.parametrize("with_key", [True, False], ids=["a key", "no key"])
@pytest.mark.parametrize("fault", ["lose_answers", "down", "too_many"])
def test_a_retry_never_charges_twice(bank, fault, with_key) -> None:
    it, mine = program(bank), key() if with_key else ""
    for _ in range(3):
        with bank.fault(**{fault: True}):
            answer = it.call("/confirm", {"payment_method": VISA}, mine)
        assert (answer.status_code, answer.json()["code"]) == UNDECIDED
        assert answer.headers["Retry-After"] == "5"
    assert it.confirm(VISA, mine) == CONFIRMED
    is_sold_once(it)
    assert len(it.moves) == 1


STEPS = [
    (opening, "begun"),
    (outcomes, "_call"),
    (outcomes, "_settle"),
    (recording, "record"),
    (settle, "_follow"),
]


class Died(BaseException):
    pass


@pytest.mark.parametrize("method", [VISA, DECLINED])
def test_dead_between_any_two_steps_the_retry_goes_on(bank, monkeypatch, method) -> None:
    row = stocked(100)
    for module, name in STEPS:
        for after in (False, True):
            it, mine = program(bank, row), key()
            with monkeypatch.context() as patch, suppress(Died):
                patch.setattr(module, name, dying(getattr(module, name), after=after))
                it.confirm(method, mine)
            answer = it.confirm(method, mine)
            assert answer == (CONFIRMED if method == VISA else REFUSED), (name, after)
            if method == VISA:
                the_clock_looks(it.order)
            assert (it.order.state, it.moves) == (
                ("paid", [SOLD]) if method == VISA else ("open", [[]])
            ), (name, after)


def dying(step: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    def dies(*args: Any, **more: Any) -> None:
        if after:
            step(*args, **more)
        raise Died

    return dies


def the_clock_looks(order: Order) -> None:
    Payment.objects.filter(order=order).update(look_at="2000-01-01T00:00Z")
    clock.settle_due()


def test_dead_after_it_was_paid_the_clock_sells_it(bank, monkeypatch) -> None:
    it, mine = program(bank), key()
    monkeypatch.setattr(outcomes, "_settle", lambda _: raises(Died()))
    with pytest.raises(Died):
        it.confirm(VISA, mine)
    monkeypatch.undo()
    assert it.moves == [[("authorised", TOTAL)]]
    the_clock_looks(it.order)
    is_sold_once(it)
    assert it.confirm(VISA, mine) == CONFIRMED


def raises(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("end", "refusal"),
    [(lambda it: pass_time(3600), (410, "reservation_expired")),
     (lambda it: services.release(reservation_id=it.hold.pk), PAID_BEFORE)],
    ids=["expired", "released"],
)  # fmt: skip
def test_a_hold_that_ends_while_it_is_paid_is_not_sold_and_not_charged(
    bank, monkeypatch, end, refusal
) -> None:
    it, mine = program(bank), key()
    real = Stripe.pay

    def pay(*args: Any) -> None:
        real(*args)
        end(it)

    monkeypatch.setattr(Stripe, "pay", pay)
    assert it.confirm(VISA, mine) == refusal
    payment = Payment.objects.get()
    assert bank.moves(payment.session_ref or "") == LET_GO
    assert payment.order.state == "dropped"
    assert it.confirm(VISA, mine) == refusal
    assert it.units == (5, 0)


# --- pages --------------------------------------------------------------------------------------


def test_what_a_page_is_paying_is_left_to_it(bank, client) -> None:
    purchase = buy(bank, client)
    it = Program(purchase.row, purchase.hold, "", bank)
    for mine in ("", key()):
        answer = it.call("/confirm", key=mine, client=client)
        assert (answer.status_code, answer.json()["code"]) == (409, "being_paid")
    assert not IdempotencyKey.objects.filter(endpoint="api:confirm").exists()
    purchase.pays()
    assert purchase.settle() == "paid"
    answer = it.call("", client=client)
    assert answer.json()["order"] == purchase.order.number


def test_a_browser_pays_by_the_api_and_sees_its_order(bank, client) -> None:
    it = Program(row := stocked(5), holding(client, row, 2), "", bank)
    answer = it.call("/confirm", {"buyer": ASHA}, client=client)
    assert answer.status_code == 200
    is_sold_once(it)
    assert client.get(links.path_to(it.order)).status_code == 200


def test_a_buyer_who_was_declined_while_approving_pays_on_a_page_of_the_bank(bank) -> None:
    """And a buyer who gives up is shown the order, not holds that only the program has."""
    it, mine = program(bank), key()
    needed = it.call("/confirm", {"payment_method": SECURE}, mine)
    assert needed.status_code == 402
    first = it.order.payments.get()
    bank.control(f"intents/{first.session_ref}/reject")
    [intent] = bank.books("intent", id=first.session_ref)
    buyer = Client()
    back = buyer.get(intent["return_url"].removeprefix("http://testserver"))
    page = buyer.get(back.headers["Location"].partition("?")[0])
    assert "It is not paid&nbsp;yet." in page.content.decode()
    leads = buyer.post(f"{links.path_to(it.order)}pay/").headers["Location"]
    assert leads == it.order.payments.get(closed_at=None).url
    dropped = buyer.post(f"{links.path_to(it.order)}drop/").headers["Location"]
    assert dropped.partition("?")[0] == links.path_to(Order.objects.get())
    shown = buyer.get(dropped).content.decode()
    assert "Go to checkout" not in shown
    assert "can be ordered again where it was reserved: in that browser, or with" in shown
    assert it.confirm(VISA) == CONFIRMED


@pytest.mark.parametrize("keyed", [True, False])
def test_another_buyer_makes_another_order_and_the_one_before_ends(bank, settings, keyed) -> None:
    settings.SHIPPING_PAISE = 5_000
    it = program(bank)
    assert it.confirm(DECLINED, key(), buyer=ASHA) == REFUSED
    first = it.order
    assert it.confirm(DECLINED, key(), buyer=ASHA) == it.confirm(DECLINED, key()) == REFUSED
    assert it.order == first
    sent = {**ASHA, "address": ADDRESS}
    assert it.confirm(VISA, key() if keyed else "", buyer=sent) == CONFIRMED
    assert (it.order.city, it.order.total_paise) == ("Bengaluru", TOTAL + 5_000)
    first.refresh_from_db()
    assert (first.state, Charge.objects.get().order) == ("dropped", it.order)
    assert not first.payments.filter(closed_at=None).exists()


def test_another_buyer_comes_too_late_for_what_was_paid_meanwhile(hosted) -> None:
    it = program(hosted)
    assert it.confirm(buyer=ASHA) == (402, "payment_required")
    first = it.order
    hosted.control(f"sessions/{first.payments.get().session_ref}/pay", way="card")
    assert it.confirm(key=key(), buyer={**ASHA, "name": "Ravi"}) == PAID_BEFORE
    assert (it.order, it.order.name, it.order.state) == (first, "Asha Rao", "paid")


@pytest.fixture
def hosted(bank, monkeypatch) -> Any:
    """The shop takes payments by Stripe's adapter, which names no method of its own."""
    monkeypatch.setattr(providers.provider("bank"), "plain_method", None)
    return bank


def test_without_a_method_the_buyer_pays_on_the_hosted_page(hosted) -> None:
    it, mine = program(hosted), key()
    first = it.call("/confirm", {"buyer": ASHA}, mine)
    assert (first.status_code, first.json()["code"]) == (402, "payment_required")
    payment = it.order.payments.get()
    assert first.json()["checkout_url"] == payment.url
    assert payment.url.startswith(f"{hosted.url}/pay/")
    for again in (mine, ""):
        assert it.call("/confirm", {"buyer": ASHA}, again).json() == first.json()
    hosted.control(f"sessions/{payment.session_ref}/pay", way="card")
    # The buyer's browser comes back, without a cookie of the shop.
    buyer = Client()
    unknown = buyer.get(f"{links.path_to(it.order)}paid/?key=wrong")
    assert unknown.headers["Location"].startswith("/orders/find/")
    [session] = hosted.books("session", id=payment.session_ref)
    back = buyer.get(session["success_url"].removeprefix("http://testserver"))
    assert back.headers["Location"] == links.path_to(it.order)
    assert buyer.get(back.headers["Location"]).status_code == 200
    assert it.confirm(buyer=ASHA, key=mine) == CONFIRMED
    assert it.order.state == "paid"


def test_without_a_key_a_page_that_was_not_opened_in_time_is_followed_by_another(hosted) -> None:
    it = program(hosted)
    with hosted.fault(down=True):
        assert it.confirm() == UNDECIDED
    miss(it.order.payments.get())
    assert it.confirm() == (402, "payment_required")
    missed, opened = it.order.payments.order_by("created_at")
    assert (missed.session_ref, missed.closed_at is None) == (None, False)
    assert opened.url.startswith(f"{hosted.url}/pay/")


def test_the_link_that_opens_the_order_is_sent_to_the_provider_and_not_stored(hosted) -> None:
    it = program(hosted)
    it.call("/confirm")
    payment = it.order.payments.get()
    [session] = hosted.books("session", id=payment.session_ref)
    sent, key = (session["success_url"], session["cancel_url"]), f"?key={links.key_of(it.order)}"
    assert sent == (payment.success_url + key, payment.cancel_url + key)
    # Earlier versions stored it.
    payment.success_url, payment.cancel_url = sent
    again = opening.invitation(payment)
    assert (again.success_url, again.cancel_url) == sent


def test_another_key_closes_the_hosted_page_and_pays_by_a_method(hosted) -> None:
    it, mine = program(hosted), key()
    assert it.confirm(key=mine) == (402, "payment_required")
    assert it.confirm(VISA) == CONFIRMED
    page, paid = it.order.payments.order_by("created_at")
    assert hosted.books("session", id=page.session_ref)[0]["status"] == "expired"
    assert hosted.moves(paid.session_ref) == SOLD
    assert it.confirm(key=mine) == PAID_BEFORE


def test_a_declined_method_can_be_followed_by_the_hosted_page(hosted) -> None:
    it = program(hosted)
    assert it.confirm(DECLINED) == REFUSED
    assert it.confirm() == (402, "payment_required")
    payment = it.order.payments.get(closed_at=None)
    hosted.control(f"sessions/{payment.session_ref}/pay", way="upi")
    assert settle.settle(payment.pk).state == "paid"
    assert it.confirm() == PAID_BEFORE


# --- races --------------------------------------------------------------------------------------

AT_ONCE = 16


@pytest.mark.race
@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("keys", ["one", "many", "none"])
def test_sixteen_confirms_at_once_are_one_sale_and_one_capture(bank, keys) -> None:
    it, one = program(bank), key()
    mine: Callable[[], str] = {"one": lambda: one, "many": key, "none": lambda: ""}[keys]
    answers = Counter(all_at_once(AT_ONCE, lambda _: it.confirm(VISA, mine())))
    # Nothing is decided yet, or the row was locked for too long: both say to repeat the call.
    allowed = {CONFIRMED, UNDECIDED, (503, "busy")}
    if keys != "one":
        allowed |= {PAID_BEFORE, (409, "being_paid"), (409, "payment_ended")}
    assert set(answers) <= allowed, answers
    if not answers[CONFIRMED]:
        assert it.confirm(VISA, one) == CONFIRMED
    is_sold_once(it)
    if keys == "one":
        assert it.order.payments.count() == 1
    if keys == "many":
        assert answers[CONFIRMED] <= 1
    assert all(moves in (SOLD, [], LET_GO) for moves in it.moves), it.moves


@pytest.mark.parametrize("moment", ["before it is given up", "before it is closed"])
def test_a_payment_that_is_paid_while_another_replaces_it_is_taken_or_goes_back(
    bank, moment, monkeypatch
) -> None:
    """Closing it at the provider would let authorised money go: of one that is taken, never."""
    it = program(bank)
    with monkeypatch.context() as patched:
        patched.setattr(Stripe, "pay", Mock(side_effect=Unreachable))
        assert it.confirm(VISA) == UNDECIDED
    (first,) = it.order.payments.all()

    def pay_and_decide() -> None:
        bank.provider().pay(first.session_ref, opening.invitation(first), VISA)
        seen = bank.provider().look(first.pk, first.session_ref)
        opening.decide_about(first, seen.money)

    meanwhile = [pay_and_decide]

    def after(function):
        def called(*args):
            while meanwhile:
                meanwhile.pop()()
            return function(*args)

        return called

    if moment == "before it is given up":
        monkeypatch.setattr(closing, "_give_up", after(closing._give_up))
        expected = PAID_BEFORE
    else:
        monkeypatch.setattr(Stripe, "_cancel", after(Stripe._cancel))
        expected = CONFIRMED
    assert it.confirm(VISA, key()) == expected
    is_sold_once(it)
    assert not it.order.payments.filter(closed_at=None).exists()


@pytest.mark.race
@pytest.mark.usefixtures("unhurried")
def test_many_keys_at_once_after_a_decline_are_one_sale(bank) -> None:
    it = program(bank)
    assert it.confirm(DECLINED) == REFUSED
    all_at_once(AT_ONCE, lambda _: it.confirm(VISA, key()))
    if it.order.state == "open":
        assert it.confirm(VISA, key()) == CONFIRMED
    is_sold_once(it)
    assert not it.order.payments.filter(closed_at=None).exists()
