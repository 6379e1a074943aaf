"""What webhooks cost a reservation: in turns without any, with one that hears of something else,
and with one that hears of each."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median

from django.db.models.functions import Now

from allo.outbox.hooks.fanning import fan_out
from allo.outbox.models import Event, Webhook
from tests.benchmarks.contenders import allo
from tests.benchmarks.load import Measured, measure
from tests.hooks.hearing import hears

ROUNDS = int(os.environ.get("BENCH_OUTBOX_ROUNDS", "9"))
PROCESSES, CALLERS = 2, 16
STATES = {
    "no webhook": (),
    "one of orders": ("order.paid",),
    "one of reservations": ("reservation.created",),
}

Rounds = list[dict[str, Measured]]


def report(rows: list[int]) -> Iterator[str]:
    yield (
        f"`reserve`, {PROCESSES} × {CALLERS} callers, each the median of {ROUNDS} rounds in which"
        " all had their turn: reservations per second, p50 / p99 in ms. The ratio is the median of"
        " those within each round.\n"
    )
    yield f"| rows | {' | '.join(STATES)} | one of orders ÷ none | of reservations ÷ none |"
    yield "|---" * (3 + len(STATES)) + "|"
    for among in (rows[:1], rows):
        rounds = [_round(among, backwards=number % 2 == 1) for number in range(ROUNDS)]
        yield _row("one hot" if len(among) == 1 else f"{len(among)}", rounds)
    yield f"\nFanned out afterwards, with nothing else to do: {_fanned_out():,.0f} events a second."


def _fanned_out() -> float:
    """Of one run, to one webhook."""
    hears(*STATES["one of reservations"])
    began = time.perf_counter()
    fan_out()
    return Event.objects.count() / (time.perf_counter() - began)


def _round(among: Sequence[int], *, backwards: bool) -> dict[str, Measured]:
    names = list(STATES)
    found = {}
    for name in reversed(names) if backwards else names:
        with _heard_by(STATES[name]):
            found[name] = measure(allo, among, processes=PROCESSES, callers=CALLERS, keys=False)
    return found


@contextmanager
def _heard_by(kinds: Sequence[str]) -> Iterator[None]:
    hook = hears(*kinds) if kinds else None
    yield
    if hook:
        # What was written waits for it in vain, as in a shop whose receiver is down.
        Webhook.objects.filter(pk=hook.pk).update(ended_at=Now())


def _row(where: str, rounds: Rounds) -> str:
    first, *others = STATES
    cells = [_cell([each[name] for each in rounds]) for name in STATES]
    ratios = [
        f"{median(each[name].per_second / each[first].per_second for each in rounds):.3f}"
        for name in others
    ]
    return f"| {' | '.join([where, *cells, *ratios])} |"


def _cell(found: Sequence[Measured]) -> str:
    rate, p50, p99 = (
        median(getattr(each, name) for each in found) for name in ("per_second", "p50_ms", "p99_ms")
    )
    return f"{rate:,.0f}, {p50:.1f} / {p99:.1f}"
