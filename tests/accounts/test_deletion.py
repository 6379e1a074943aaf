"""An account is deleted: what becomes of what it holds, bought, and is paying for."""

from functools import partial
from threading import Event
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.test import Client

from allo.accounts import deleting
from allo.accounts.models import Account, DeletedAccount, SignIn
from allo.codes.models import EmailCode
from allo.outbox.models import Message
from checkout import addresses, contacts
from checkout.audit import audit_money
from checkout.contacts import Typed
from checkout.models import Address, Contact, Order
from reservations import services
from reservations.clock.audit import audit_stock
from reservations.exceptions import Busy
from reservations.models import Reservation, WaitingEntry
from tests.accounts.signing_in import ask, sent, signed_in, text_of
from tests.accounts.test_addresses import SAVED
from tests.checkout.orders import brought, move, opened
from tests.joining import all_held, given_back, waiting
from tests.reservations.test_privileges import as_the_shop
from tests.running import PATIENCE, wait_for
from tests.server import somebody_waits
from tests.shopping import BUYER, holding, press
from tests.smtp import mailbox
from tests.staff.people import person as staff
from tests.stock import all_at_once, stocked, units

pytestmark = pytest.mark.django_db

PAGE = "/account/delete/"


@pytest.fixture
def asha() -> Client:
    return signed_in()


def press_delete(client: Client, word: str = "delete") -> Any:
    return client.post(PAGE, {"word": word})


def is_deleted() -> bool:
    gone = not Account.objects.exists() and not User.objects.filter(is_staff=False).exists()
    assert gone == DeletedAccount.objects.exists()
    return gone


def test_an_account_goes_with_all_that_is_only_its_persons(asha, settings) -> None:
    row = stocked(5)
    addresses.save(User.objects.get().pk, SAVED)
    press(asha, dropped := holding(asha, row), "contact", name="Asha Rao")
    services.release(reservation_id=dropped.pk)
    other = signed_in()
    with mailbox(settings) as box:
        sent(box)
        done = press_delete(asha, ' "Delete." ')
        assert done.headers["Location"] == "/account/sign-in/?why=deleted"
        (mail,) = sent(box)
    assert is_deleted()
    for model in (Address, SignIn, Session, EmailCode, Contact):
        assert not model.objects.exists(), model
    assert set(Reservation.objects.values_list("holder", "address")) == {("nobody", "")}
    assert mail["To"] == "asha@example.org"
    assert mail["Subject"] == "Your account is deleted"
    assert "Your account was deleted on" in text_of(mail)
    assert "Your account is deleted" in asha.get(done.headers["Location"]).content.decode()
    for browser in (asha, other):
        assert browser.get("/account/").headers["Location"].startswith("/account/sign-in/")
    # The address makes a new account, which has nothing of the old one.
    again = signed_in()
    assert "Nothing yet" in again.get("/reservations/").content.decode()


def test_what_a_deleted_account_holds_is_released(asha) -> None:
    row = stocked(5)
    holding(asha, row, 2)
    assert "The reservation that you hold is released" in asha.get(PAGE).content.decode()
    press_delete(asha)
    assert is_deleted()
    assert units(row) == (5, 0)
    assert set(Reservation.objects.values_list("status", "holder")) == {("released", "nobody")}


def test_no_mail_is_left_about_a_deleted_place_on_a_waiting_list(asha) -> None:
    row = stocked(1)
    held = all_held(row)
    waiting(row)
    given_back(held)
    assert Message.objects.filter(kind="list_offer", sent_at=None).exists()
    press_delete(asha)
    assert is_deleted()
    assert not WaitingEntry.objects.exists()
    assert not Message.objects.filter(kind__startswith="list_").exists()


def test_a_paid_order_stays_without_the_account_and_staff_see_why(asha, client) -> None:
    press(asha, holding(asha, stocked(5)), "confirm")
    order = Order.objects.get()
    assert (order.state, order.account) == ("paid", User.objects.get())
    number = User.objects.get().pk
    assert "kept for 8 years" in asha.get(PAGE).content.decode()
    press_delete(asha)
    assert is_deleted()
    order.refresh_from_db()
    assert (order.account, order.name, order.line1) == (None, BUYER["name"], BUYER["line1"])
    assert Contact.objects.get().name == BUYER["name"]
    client.force_login(staff("Viewer"))
    page = client.get(f"/admin/checkout/order/{order.pk}/change/").content.decode()
    assert "Account deleted" in page
    assert deleting.WHY_KEPT in page
    assert order.number in client.get(f"/admin/checkout/order/?q=user:{number}").content.decode()
    listed = client.get("/admin/accounts/deletedaccount/").content.decode()
    assert f">{number}</a>" in listed
    assert "asha@example.org" not in listed
    # It goes on its way: what is left to do for it needs no account.
    for state in ("packed", "shipped", "delivered"):
        move(order, state)


@pytest.mark.parametrize("adopted", [True, False], ids=["adopted", "the sign-in found it busy"])
def test_what_was_bought_in_a_browser_is_not_the_next_accounts(client, adopted) -> None:
    press(client, holding(client, stocked(5)), "confirm")
    order = Order.objects.get()
    signed_in(client=client)
    if not adopted:
        Order.objects.update(account=None)
    press_delete(signed_in())
    assert is_deleted()
    order.refresh_from_db()
    assert (order.account, order.holder, order.name) == (None, "nobody", BUYER["name"])
    for person in ("nobody", "ravi"):
        if person != "nobody":
            signed_in(f"{person}@example.org", client)
        assert order.number not in client.get("/orders/").content.decode()
        assert client.get(f"/orders/{order.number}/").status_code == 404


def test_an_open_payment_is_ended_before_the_account_is_deleted(asha, settings) -> None:
    held = holding(asha, stocked(5))
    order = opened(held, account=User.objects.get())
    settings.PAYMENT_PROVIDER = "bank"
    refused = press_delete(asha)
    assert refused.status_code == 422
    assert f'<a href="/orders/{order.number}/">{order.number}</a>' in refused.content.decode()
    assert not is_deleted()
    assert Reservation.objects.get().status == "pending"
    brought(order, "dropped")
    order.payments.update(closed_at=order.opened_at, look_at=None)
    press_delete(asha)
    assert is_deleted()
    # Nobody paid it, so nothing of it is kept.
    assert not Order.objects.exists()


def test_an_order_that_is_opened_meanwhile_stops_the_deletion(asha, monkeypatch) -> None:
    row = stocked(5)
    held = holding(asha, row)
    release = deleting._release

    def after_another_page(account: Account) -> None:
        opened(held, account=account.user)
        release(account)

    monkeypatch.setattr(deleting, "_release", after_another_page)
    assert press_delete(asha).status_code == 422
    assert not is_deleted()


@pytest.mark.parametrize("word", ["", "no", "delete it", "d"])
def test_only_the_word_deletes(asha, word) -> None:
    assert press_delete(asha, word).status_code == 422
    assert asha.get(PAGE).status_code == 200
    assert not is_deleted()


def test_staff_delete_no_account_as_a_user(asha, admin_client) -> None:
    """It would stay on waiting lists, and its reservations would never be forgotten."""
    shopper = User.objects.get(account__isnull=False)
    page = f"/admin/auth/user/{shopper.pk}/delete/"
    assert "may not delete" in admin_client.get(page).content.decode()
    assert admin_client.post(page, {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": shopper.pk, "post": "yes"}
    assert admin_client.post("/admin/auth/user/", chosen).status_code == 403
    assert Account.objects.filter(pk=shopper.pk).exists()


def test_what_is_on_the_record_of_staff_is_not_deleted(asha) -> None:
    person = User.objects.get()
    row = stocked(5)
    services.release(reservation_id=(held := holding(asha, row)).pk)
    held.staffaction_set.create(action="released", actor=person, reason="It broke")
    refused = press_delete(asha)
    assert "did something as staff" in refused.content.decode()
    assert not is_deleted()


def test_a_deletion_that_meets_a_busy_row_says_so_and_the_next_goes_on(asha, monkeypatch) -> None:
    row = stocked(5)
    holding(asha, row)

    def busy(**_asked: object) -> None:
        raise Busy

    with monkeypatch.context() as while_busy:
        while_busy.setattr(services, "release", busy)
        refused = press_delete(asha)
    assert (refused.status_code, "Retry-After" in refused.headers) == (503, True)
    assert not is_deleted()
    assert press_delete(asha).status_code == 303
    assert is_deleted()


def test_a_visitor_who_is_not_signed_in_deletes_and_exports_nothing(client) -> None:
    for page in (PAGE, "/account/export/"):
        assert client.get(page).headers["Location"].startswith("/account/sign-in/")
    assert press_delete(client).headers["Location"] == "/account/sign-in/"
    client.force_login(staff("Viewer"))
    press_delete(client)
    assert User.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_shops_role_deletes_an_account(settings) -> None:
    row = stocked(5)
    with as_the_shop(settings):
        asha = signed_in()
        holding(asha, row)
        addresses.save(User.objects.get().pk, SAVED)
        press(asha, holding(asha, stocked(5, product="b")), "confirm")
        ask(Client())
        assert press_delete(asha).status_code == 303
        assert is_deleted()


@pytest.mark.django_db(transaction=True)
def test_of_two_deletions_at_once_one_does_it() -> None:
    press(signed_in(), holding(signed_in(), stocked(5)), "confirm")
    account = Account.objects.get()
    assert set(all_at_once(3, lambda _: deleting.delete(account))) == {None}
    assert DeletedAccount.objects.count() == 1
    assert not User.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.race
def test_a_sale_and_a_deletion_meet_and_the_books_balance() -> None:
    """Whichever comes first: what was sold is an order, and what was not is free again."""
    row = stocked(30)
    sold = 0
    for _ in range(6):
        asha = signed_in()
        held = holding(asha, row)
        account = Account.objects.get()
        calls = (partial(press, asha, held, "confirm"), partial(deleting.delete, account))
        got = all_at_once(2, lambda n, calls=calls: calls[n]())  # type: ignore[misc]
        held.refresh_from_db()
        # Each is done, or refused in words.
        status = getattr(got[0], "status_code", None)
        assert status in (303, 404, 409, 410, 503), got
        if got[1] is not None:
            assert isinstance(got[1], deleting.StillPaying | Busy), got
            assert Account.objects.exists()
        sold += held.status == "confirmed"
        assert held.status in ("confirmed", "released", "pending"), got
        if User.objects.exists():
            deleting.delete(account)
    assert units(row) == (30 - sold, 0)
    assert (audit_stock(), audit_money()) == ([], [])


@pytest.mark.django_db(transaction=True)
@pytest.mark.race
def test_a_draft_and_a_deletion_meet_without_a_deadlock(unhurried) -> None:
    """The draft has locked the reservation that has ended, and then writes its contact."""
    asha = signed_in()
    press(asha, held := holding(asha, stocked(5)), "contact", name="Asha")
    services.release(reservation_id=held.pk)
    account, locked = Account.objects.get(), Event()

    def one(caller: int) -> None:
        if caller:
            locked.wait(PATIENCE)
            deleting.delete(account)
            return
        with transaction.atomic():
            Reservation.objects.select_for_update().get(pk=held.pk)
            locked.set()
            wait_for(somebody_waits)
            contacts.keep(Typed(held.pk, "Asha Rao"))

    assert all_at_once(2, one) == [None, None]
    assert is_deleted()
    assert not Contact.objects.exists()
