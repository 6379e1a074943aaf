"""What the process of the tests has counted."""

from collections.abc import Iterator
from contextlib import contextmanager

from allo.metrics.counters import REGISTRY

Sample = tuple[str, dict[str, str]]


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@contextmanager
def counting(*samples: Sample) -> Iterator[list[float]]:
    """After the block, by how much each of them has grown."""
    before = [counted(name, **labels) for name, labels in samples]
    grown: list[float] = []
    yield grown
    grown += [
        counted(name, **labels) - was for (name, labels), was in zip(samples, before, strict=True)
    ]
