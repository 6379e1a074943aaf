"""What a mail looks like, and where it is a file."""

import os
import re
import subprocess
import sys
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from django.core import mail
from django.template.loader import get_template
from django.utils import timezone

from allo.outbox import kinds, letters, sending
from allo.outbox.models import Message
from tests.outbox.letters import CONTEXT, put, written
from tests.running import PROJECT

pytestmark = pytest.mark.django_db


SETTINGS = """
from allo import settings
print(settings.MAIL_FOLDER, settings.EMAIL_BACKEND.split(".")[-2])
"""


def sent() -> Any:
    assert sending.send_due() == 1
    return mail.outbox[-1]


def test_a_mail_is_text_and_html_of_the_same_facts() -> None:
    put(context={**CONTEXT, "rows": [{**CONTEXT["rows"][0], "name": "<b>Ås & 王</b>"}]})  # type: ignore[index]
    letter = sent()
    assert letter.subject == "Low stock: <b>Ås & 王</b>"
    assert letter.body == "<b>Ås & 王</b>: 2 left, 0 of them held (low from 2)\n"
    [(page, kind)] = letter.alternatives
    assert kind == "text/html"
    assert ">Low stock: &lt;b&gt;Ås &amp; 王&lt;/b&gt;</h1>" in page
    assert "{" not in re.sub(r"<style>.*</style>", "", page, flags=re.DOTALL)


def test_a_mail_is_of_the_time_and_the_key_of_its_message(settings) -> None:
    settings.DEFAULT_FROM_EMAIL = "Allo <shop@allo.example>"
    message, _ = written("k", hours=1), put("other")
    assert sending.send_due() == 2
    headers = [dict(letter.message().items()) for letter in mail.outbox]
    assert re.fullmatch(r"<[0-9a-f]{32}@allo\.example>", headers[0]["Message-ID"])
    assert headers[0]["Message-ID"] != headers[1]["Message-ID"]
    assert headers[0]["Message-ID"] == letters.letter(message).message()["Message-ID"]
    assert headers[0]["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(headers[0]["Date"]) == message.created_at.replace(microsecond=0)


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("Tidal\r\nBcc: all@example.org", "Low stock: Tidal Bcc: all@example.org"),
        ("a\x00\x1b\u2028\u202eb", "Low stock: a b"),
        ("क्‍ष 🦊", "Low stock: क्‍ष 🦊"),
        ("x" * 5000, f"Low stock: {'x' * 138}…"),
    ],
)
def test_a_subject_is_one_line_of_limited_length(name, subject) -> None:
    message = Message(key="k", kind="low_stock", to="asha@example.org", created_at=timezone.now())
    message.context = {**CONTEXT, "rows": [{**CONTEXT["rows"][0], "name": name}]}  # type: ignore[index]
    made = letters.letter(message)
    assert made.subject == subject
    assert made.message()["Bcc"] is None
    assert len(made.subject) <= letters.LONGEST_SUBJECT


def test_what_it_was_about_is_erased_when_it_is_sent() -> None:
    put()
    sent()
    message = Message.objects.get()
    assert (message.context, message.state, message.tries) == ({}, "sent", 1)


def test_each_mail_is_a_file_that_only_its_owner_reads(settings, tmp_path) -> None:
    settings.MAIL_FOLDER = tmp_path / "state" / "mail"
    put()
    sent()
    [file] = settings.MAIL_FOLDER.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert settings.MAIL_FOLDER.stat().st_mode & 0o777 == 0o700
    assert "Tidal in blr-01: 2 left" in file.read_text()


def test_every_kind_has_its_templates_and_is_documented() -> None:
    documented = (PROJECT / "docs" / "running-it.md").read_text()
    assert kinds._kinds.keys() >= {"low_stock"}
    for kind in kinds._kinds:
        for part in ("subject.txt", "text.txt", "page.html"):
            get_template(f"mail/{kind}/{part}")
        assert f"| `{kind}` |" in documented


@pytest.mark.parametrize(
    ("production", "shown"),
    [("0", "/state/mail dummy"), ("1", "None nowhere")],
)
def test_only_outside_production_a_mail_is_a_file_and_without_a_server_it_is_in_no_log(
    production, shown
) -> None:
    environment = {name: text for name, text in os.environ.items() if name != "EMAIL_URL"}
    done = subprocess.run(
        [sys.executable, "-c", SETTINGS],
        cwd=PROJECT, capture_output=True, text=True, check=True,
        env=environment | {
            "PRODUCTION": production, "STATE_DIR": "/state", "SECRET_KEY": "x" * 50,
            "PAYMENT_PROVIDER": "none",
        },
    )  # fmt: skip
    assert done.stdout.strip() == shown
