"""A mail server: it speaks SMTP over a socket, and keeps what it is given."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any


@dataclass
class Mailbox:
    """`refuses` are recipients that get 550; `on_data` runs before a mail is accepted,
    and hangs up if it returns true."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    on_data: Callable[[], object] = bool


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        box: Mailbox = self.server.box  # type: ignore[attr-defined]
        self._say("220 test")
        while line := self.rfile.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            if verb.upper() == "QUIT":
                return self._say("221 bye")
            if verb.upper() == "DATA":
                self._say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                mail = message_from_bytes(b"".join(lines), policy=default)
                if box.on_data():
                    return None
                box.mails.append(mail)
            refused = verb.upper() == "RCPT" and any(name in rest for name in box.refuses)
            if verb.upper() == "RCPT" and not refused:
                box.recipients.append(rest[rest.index("<") + 1 : rest.index(">")])
            self._say("550 no such user" if refused else "250 ok")
        return None

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


def send_to(box: Mailbox, settings: Any) -> None:
    """The shop of this test sends its mail to that server."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.port
    settings.EMAIL_TIMEOUT = 60


@contextmanager
def mail_server(box: Mailbox) -> Iterator[Mailbox]:
    """Listens at the box's port, which is chosen the first time."""
    with _Server(("127.0.0.1", box.port), _Session) as server:
        server.box = box  # type: ignore[attr-defined]
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def mailbox(settings: Any) -> Iterator[Mailbox]:
    """A mail server that the shop of this test sends to."""
    with mail_server(Mailbox()) as box:
        send_to(box, settings)
        yield box
