"""What the person at the terminal sees."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from allo.embedded.errors import RunnerError


@contextmanager
def step(title: str, *, talks: bool = False) -> Iterator[None]:
    """Say what is being done, then how long it took; what talks itself is summed up after."""
    started = time.monotonic()
    announcement = f"{title} … "
    if not talks:
        say(announcement, end="")
    try:
        yield
    except BaseException:
        say("")
        raise
    say(f"{announcement if talks else ''}{time.monotonic() - started:.1f} s")


def say(text: str, end: str = "\n") -> None:
    print(text, end=end, flush=True)


def explain(error: RunnerError | OSError) -> str:
    if isinstance(error, RunnerError):
        return f"\n{error}\n{error.hint}"
    where = f": {error.filename}" if error.filename else ""
    return f"\nAllo cannot go on: {error.strerror or error}{where}"
