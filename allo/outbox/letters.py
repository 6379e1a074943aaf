"""Makes a message into a mail."""

from email.utils import format_datetime, parseaddr
from hashlib import sha256
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from allo.embedded.state import write_private
from allo.outbox.kinds import facts_of
from allo.outbox.models import Message
from allo.outbox.styles import inlined
from allo.web.names import one_line

LONGEST_SUBJECT = 150


def letter(message: Message) -> EmailMultiAlternatives:
    facts = dict(facts_of(message.kind)(message.context))
    folder = f"mail/{message.kind}"
    subject = shortened(render_to_string(f"{folder}/subject.txt", facts))
    text = render_to_string(f"{folder}/text.txt", facts)
    page = render_to_string(f"{folder}/page.html", {**facts, "subject": subject})
    headers = {**_headers(message), **_one_click(facts.get("unsubscribe", ""))}
    made = EmailMultiAlternatives(subject, text, to=[message.to], headers=headers)
    made.attach_alternative(inlined(page), "text/html")
    return made


def shortened(subject: str) -> str:
    line = " ".join(one_line(subject).split())
    return line if len(line) <= LONGEST_SUBJECT else f"{line[: LONGEST_SUBJECT - 1]}…"


def _headers(message: Message) -> dict[str, str]:
    """The same each time, so that a mail that was sent twice can be recognised."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    return {
        "Message-ID": f"<{_digest(message)}@{domain}>",
        "Date": format_datetime(message.created_at),
        "Auto-Submitted": "auto-generated",
    }


def _one_click(address: str) -> dict[str, str]:
    """RFC 8058: a mail program's own button posts to this address, without cookies."""
    if not address:
        return {}
    return {
        "List-Unsubscribe": f"<{address}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def _digest(message: Message) -> str:
    return sha256(message.key.encode()).hexdigest()[:32]


def keep(message: Message, made: EmailMultiAlternatives) -> None:
    """Outside production each mail is also a file, which only its owner can read."""
    if folder := settings.MAIL_FOLDER:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(_file(folder, message), made.message().as_string())


def _file(folder: Path, message: Message) -> Path:
    return folder / f"{message.created_at:%Y%m%d-%H%M%S}-{message.kind}-{_digest(message)}.eml"
