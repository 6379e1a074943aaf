"""Sign in by a code that was sent by mail."""

import pytest

from allo.accounts.models import Account
from tests.accounts.signing_in import (
    ACCOUNT,
    CODE,
    ask,
    code_in,
    mailbox,
    sent,
    type_code,
)

pytestmark = pytest.mark.django_db


def test_the_code_of_the_mail_signs_in_and_makes_the_account(client, settings) -> None:
    with mailbox(settings) as box:
        asked = ask(client, "Asha+shop@Example.ORG")
        assert (asked.status_code, asked.headers["Location"]) == (303, CODE)
        assert "Asha+shop@Example.ORG" in client.get(CODE).content.decode()
        assert not Account.objects.exists()
        (mail,) = sent(box)
    assert mail["To"] == "Asha+shop@Example.ORG"
    done = type_code(client, f"Your code is {code_in(mail)}")
    assert (done.status_code, done.headers["Location"]) == (303, ACCOUNT)
    account = Account.objects.get()
    assert account.email_key == "asha+shop@example.org"
    assert not account.user.has_usable_password()
    assert (account.user.is_staff, account.user.email) == (False, "Asha+shop@Example.ORG")
    assert "Asha+shop@Example.ORG" in client.get(ACCOUNT).content.decode()
    assert ">Account</a>" in client.get("/").content.decode()
