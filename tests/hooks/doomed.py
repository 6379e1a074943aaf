"""A worker that is killed when an event was posted, before that is written down."""

import os
import signal

import django

django.setup()

from allo.outbox.hooks import delivering  # noqa: E402


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    vars(delivering)["_delivered"] = die
    delivering.deliver_due()
