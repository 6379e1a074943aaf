"""A worker that is killed when a message was sent, before that is written down."""

import os
import signal

import django

django.setup()

from allo.outbox import sending  # noqa: E402


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    vars(sending)["_mark_sent"] = die
    sending.send_due()
