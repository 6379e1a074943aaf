"""A worker that is killed at a named point."""

import os
import signal
import sys

import django

django.setup()

from django.db import transaction  # noqa: E402

from allo.outbox.hooks import delivering, fanning  # noqa: E402


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before_events_are_committed() -> None:
    fan_out_some = fanning._fan_out_some

    def written() -> None:
        with transaction.atomic():
            fan_out_some()
            die()

    vars(fanning)["_fan_out_some"] = written


def before_a_post_is_noted() -> None:
    vars(delivering)["_delivered"] = die


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    delivering.deliver_due()
