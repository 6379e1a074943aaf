"""What sends mail where no mail server is named."""

from typing import Any, NoReturn

from django.core.mail.backends.base import BaseEmailBackend


class NoMailServer(OSError):
    pass


class NoServer(BaseEmailBackend):
    """Messages wait, and staff see why. A log is no place for them: they have codes and links."""

    def open(self) -> NoReturn:
        raise NoMailServer

    def send_messages(self, _messages: Any) -> NoReturn:
        raise NoMailServer
