"""Another e-mail address for an account, confirmed on both."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from allo.accounts.models import Account
from allo.codes.models import EmailCode
from allo.codes.secret import code_of
from allo.codes.services import Purpose
from reservations.waiting.services import entries_of
from tests.accounts.signing_in import (
    ACCOUNT,
    code_in,
    page_of,
    pass_minutes,
    sent,
    signed_in,
    text_of,
)
from tests.shopping import Page
from tests.smtp import mailbox
from tests.stock import stocked
from tests.waiting import joined

pytestmark = pytest.mark.django_db

CHANGE, CODES = "/account/e-mail/", "/account/e-mail/code/"
NEW = "asha@new.example"


@pytest.fixture
def client() -> Client:
    return signed_in()


def ask(client: Client, email: str = NEW) -> Page:
    return client.post(CHANGE, {"email": email})


def code(purpose: Purpose) -> str:
    return code_of(EmailCode.objects.filter(purpose=purpose).latest("asked_at").pk)


def both() -> dict[str, str]:
    return {"old": code(Purpose.OLD_ADDRESS), "new": code(Purpose.NEW_ADDRESS)}


def address() -> tuple[str, str]:
    account = Account.objects.select_related("user").get(user__email__istartswith="asha")
    return account.email_key, account.user.email


UNCHANGED = ("asha@example.org", "asha@example.org")


def test_both_addresses_get_a_code_of_their_own_and_both_codes_change_the_address(
    client, settings
) -> None:
    with mailbox(settings) as box:
        sent(box)
        assert ask(client, "Asha@NEW.example").headers["Location"] == CODES
        mails = {mail["To"]: mail for mail in sent(box)}
    old, new = mails["asha@example.org"], mails["Asha@NEW.example"]
    assert code_in(old) != code_in(new)
    assert "asha@new.example" in text_of(old)
    assert code_in(old) in page_of(old)
    assert code_in(new) in page_of(new)
    page = client.get(CODES).content.decode()
    assert "asha@example.org" in page
    assert "Asha@NEW.example" in page
    row = stocked(0)
    joined(row)
    joined(row, email=NEW)
    done = client.post(CODES, {"old": code_in(old), "new": f"Your code is {code_in(new)}"})
    assert done.headers["Location"] == f"{ACCOUNT}?changed=1"
    assert address() == ("asha@new.example", "Asha@NEW.example")
    # Its places on waiting lists are at the new address, of two on one list the earlier.
    places = [(entry.email, entry.state.value) for entry in entries_of(NEW)]
    assert places == [(NEW, "left"), ("Asha@NEW.example", "waiting")]
    assert "has the new address" in client.get(f"{ACCOUNT}?changed=1").content.decode()
    assert signed_in(NEW).get(ACCOUNT).status_code == 200
    assert Account.objects.count() == 1
    # Once.
    assert client.post(CODES, both()).headers["Location"] == f"{CHANGE}?why=ended"


def test_one_code_alone_changes_nothing_and_is_not_asked_for_twice(client) -> None:
    ask(client)
    page = client.post(CODES, {"old": code(Purpose.OLD_ADDRESS), "new": ""})
    assert (page.status_code, [*page.context["form"].fields]) == (200, ["new"])
    assert "The old address is confirmed" in page.content.decode()
    assert address() == UNCHANGED
    assert client.post(CODES, {"new": "000"}).status_code == 422
    assert client.post(CODES, both()).headers["Location"] == f"{ACCOUNT}?changed=1"


def test_no_code_at_all_is_refused(client) -> None:
    ask(client)
    page = client.post(CODES, {"old": "", "new": " "})
    assert page.status_code == 422
    assert "Type the code from a mail." in page.content.decode()


def test_wrong_codes_are_refused_and_counted(client) -> None:
    ask(client)
    swapped = {"old": code(Purpose.NEW_ADDRESS), "new": code(Purpose.OLD_ADDRESS)}
    for _ in range(4):
        page = client.post(CODES, swapped)
        assert page.status_code == 422
        assert {*page.context["form"].errors} == {"old", "new"}
    client.post(CODES, swapped)
    assert client.post(CODES, both()).headers["Location"] == f"{CHANGE}?why=ended"
    assert address() == UNCHANGED


def test_codes_of_another_change_browser_or_account_are_of_no_use(client) -> None:
    ask(client)
    assert signed_in().post(CODES, both()).headers["Location"] == f"{CHANGE}?why=ended"
    # The old address confirms one new address, not any.
    client.post(CODES, {"old": code(Purpose.OLD_ADDRESS)})
    ask(client, "other@example.org")
    new = client.post(CODES, {"new": code(Purpose.NEW_ADDRESS)})
    assert (new.status_code, [*new.context["form"].fields]) == (200, ["old"])
    # Another account in this browser, with the cookie of the one before.
    cookie = client.cookies["allo_code"].value
    client.post("/account/sign-out/")
    signed_in("asha@ravi.example", client)
    client.cookies["allo_code"] = cookie
    assert client.post(CODES, both()).headers["Location"] == f"{CHANGE}?why=ended"
    assert {*Account.objects.values_list("email_key", flat=True)} == {
        "asha@example.org",
        "asha@ravi.example",
    }


def test_codes_that_ran_out_change_nothing(client) -> None:
    ask(client)
    typed = both()
    pass_minutes(11)
    assert client.post(CODES, typed).headers["Location"] == f"{CHANGE}?why=ended"
    assert "no codes that work" in client.get(f"{CHANGE}?why=ended").content.decode()


def test_an_address_with_an_account_is_found_out_only_by_those_who_read_its_mail(client) -> None:
    signed_in(NEW, Client())
    assert ask(client).headers["Location"] == CODES
    assert client.post(CODES, both()).headers["Location"] == f"{CHANGE}?why=taken"
    assert "has an account of its own" in client.get(f"{CHANGE}?why=taken").content.decode()
    assert Account.objects.filter(email_key="asha@example.org").exists()


def test_an_address_of_the_staff_gets_no_code(client, settings) -> None:
    User.objects.create_user("boss", email="boss@example.org", is_staff=True)
    with mailbox(settings) as box:
        sent(box)
        ask(client, "boss@example.org")
        mails = {mail["To"]: mail for mail in sent(box)}
    assert "belongs to one of the staff" in text_of(mails["boss@example.org"])
    # Not even one that was guessed.
    assert client.post(CODES, both()).headers["Location"] == f"{CHANGE}?why=taken"
    assert address() == UNCHANGED


@pytest.mark.parametrize("typed", ["", "asha", "asha@example.org", "a@b.org\nBcc: c@d.org"])
def test_what_is_no_new_address_is_refused(client, typed) -> None:
    page = ask(client, typed)
    assert page.status_code == 422
    assert page.context["form"].errors["email"]
    assert not EmailCode.objects.exclude(purpose=Purpose.SIGN_IN).exists()


def test_either_both_codes_are_sent_or_none(client) -> None:
    for _ in range(4):
        signed_in(NEW, client=Client())
    page = ask(client)
    assert page.status_code == 429
    assert 3000 <= int(page.headers["Retry-After"]) <= 3600
    assert not EmailCode.objects.exclude(purpose=Purpose.SIGN_IN).exists()
