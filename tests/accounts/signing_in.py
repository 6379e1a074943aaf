"""A shopper who asks for a code, reads the mail, and types it."""

import re
from datetime import timedelta
from email.message import EmailMessage

from django.db.models import F
from django.test import Client

from allo.codes.models import EmailCode
from allo.codes.secret import code_of
from allo.outbox.sending import send_due
from tests.shopping import Page
from tests.smtp import Mailbox

ASK, CODE, ACCOUNT = "/account/sign-in/", "/account/sign-in/code/", "/account/"


def ask(client: Client, email: str = "asha@example.org", **more: object) -> Page:
    return client.post(ASK, {"email": email, **more})


def last_code() -> str:
    """Of the code that was asked for last, as only the mail shows it."""
    return code_of(EmailCode.objects.latest("asked_at").pk)


def type_code(client: Client, typed: str) -> Page:
    return client.post(CODE, {"code": typed})


def signed_in(email: str = "asha@example.org", client: Client | None = None) -> Client:
    client = client or Client()
    assert ask(client, email).headers["Location"] == CODE
    assert type_code(client, last_code()).status_code == 303
    return client


def wrong_code() -> str:
    return f"{(int(last_code()) + 1) % 1_000_000:06d}"


def pass_minutes(minutes: float) -> None:
    """The database's clock stays; the codes that were not used become older."""
    ago = timedelta(minutes=minutes)
    rows = EmailCode.objects.filter(used_at=None)
    rows.update(asked_at=F("asked_at") - ago, ends_at=F("ends_at") - ago)


def sent(box: Mailbox) -> list[EmailMessage]:
    """Sends what is due; the mails that arrived since."""
    before = len(box.mails)
    send_due()
    return box.mails[before:]


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def page_of(mail: EmailMessage) -> str:
    body = mail.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def code_in(mail: EmailMessage) -> str:
    found = re.search(r"\b\d{3} \d{3}\b", text_of(mail))
    assert found
    return found[0]


def link_in(mail: EmailMessage) -> str:
    """Without the shop's origin."""
    found = re.search(r"https?://[^/\s]+(/account/\S+)", text_of(mail))
    assert found
    return found[1]
