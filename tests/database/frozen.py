"""A worker that is stopped (SIGSTOP), not killed, while its transaction has a row locked."""

import os
import signal
import sys

import django

django.setup()

from reservations.engine import storage  # noqa: E402
from reservations.engine import transactions as engine  # noqa: E402
from reservations.engine.books import Books  # noqa: E402
from reservations.engine.commands import Holder, Reserve  # noqa: E402


def write(books: Books, *, commit: bool) -> None:
    storage.write(books, commit=False)
    os.kill(os.getpid(), signal.SIGSTOP)


vars(engine)["write"] = write
engine.perform(Reserve(rows=(int(sys.argv[1]),), quantity=1, holder=Holder("session:frozen")))
