"""Output on the terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from allo.embedded.errors import RunnerError


@contextmanager
def step(title: str, *, talks: bool = False) -> Iterator[None]:
    """Print the step's name, then its duration. With `talks`, the step prints lines of its own, so
    the name is repeated with the duration."""
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
    """Nothing stops because the file or the pipe that it is written to takes no more."""
    with suppress(OSError):
        print(text, end=end, flush=True)


def explain(error: RunnerError | OSError) -> str:
    if isinstance(error, RunnerError):
        return f"\n{error}\n{error.hint}"
    where = f": {error.filename}" if error.filename else ""
    return f"\nAllo cannot go on: {error.strerror or error}{where}"
