"""What the limits on shoppers and networks cost a reservation: all of them on, beside all off."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from reservations.engine.commands import Holder, Reserve
from reservations.engine.transactions import perform
from tests.benchmarks.contenders import Contender
from tests.benchmarks.load import measure
from tests.stock import stocked

ROUNDS = 5
# The cap of a network is raised, or one network could hold nothing after the first moment.
RAISED = {"RESERVATION_MAX_UNITS_PER_ADDRESS": "10000000"}
ON = RAISED | {"RESERVATION_MAX_SHARE": "100"}
OFF = RAISED | {
    "RESERVATION_MAX_SHARE": "0",
    "RESERVATION_COOL_DOWN_MINUTES": "off",
    "RESERVATION_AROUND_FACTORS": "0,0",
}


def from_many_networks(row: int, holder: str, key: str) -> None:
    """From one of 5,000 networks in 500 /24s, which are others for each row: what was held in an
    earlier measurement does not count in the next."""
    number, host = divmod(random.randrange(5000), 10)
    place, part = divmod(number, 250)
    _reserve(row, holder, f"{row % 240 + 1}.{place}.{part}.{host + 1}/32")


def from_one_network(row: int, holder: str, key: str) -> None:
    _reserve(row, holder, f"{row % 240 + 1}.250.0.1/32")


def _reserve(row: int, holder: str, network: str) -> None:
    perform(Reserve(rows=(row,), quantity=1, holder=Holder(holder, network)))


def report() -> Iterator[str]:
    yield (
        f"One hot row, 2 × 16 callers without keys, medians of {ROUNDS} alternating rounds: "
        "reservations per second.\n"
    )
    yield "| shoppers | limits off | limits on | on ÷ off |\n|---|---|---|---|"
    yield _line("of 5,000 networks in 500 /24s", from_many_networks, "many")
    yield _line("of one network", from_one_network, "one")


def _line(shoppers: str, call: Contender, name: str) -> str:
    off, on = [], []
    for number in range(ROUNDS):
        off.append(_measured(call, f"off-{name}-{number}", OFF))
        on.append(_measured(call, f"on-{name}-{number}", ON))
    return (
        f"| {shoppers} | {median(off):,.0f} | {median(on):,.0f} | {median(on) / median(off):.2f} |"
    )


def _measured(call: Contender, product: str, settings: dict[str, str]) -> float:
    row = stocked(10_000_000, product=product).pk
    with _environment(settings):
        return measure(call, [row], processes=2, callers=16, keys=False).per_second


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    """For the processes that are started inside."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
