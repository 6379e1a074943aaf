"""What all processes of this machine have counted, added up."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prometheus_client.multiprocess import MultiProcessCollector

from allo.metrics import counters, slots


class Counted:
    """A collector of prometheus-client. Each metric is there, also one that nobody counted yet."""

    def collect(self) -> Iterable[Any]:
        if not counters.IS_SHARED:
            return list(counters.REGISTRY.collect())
        files = slots.files_of(counters.FOLDER)
        try:
            found = {metric.name: metric for metric in _merged(files)}
        except Exception:  # of one that is damaged; a process that takes its number replaces it
            found = {metric.name: metric for metric in _merged(filter(slots.is_readable, files))}
        return [found.get(metric.name) or _empty(metric) for metric in counters.REGISTRY.collect()]


def _merged(files: Iterable[str]) -> Iterable[Any]:
    return MultiProcessCollector.merge(files)  # type: ignore[no-any-return,no-untyped-call]


def _empty(metric: Any) -> Any:
    metric.samples = []
    return metric


def forget_other_versions() -> None:
    """Deletes the files of earlier definitions that no process counts into any more."""
    for folder in Path(counters.FOLDER).parent.glob("*/"):
        if folder != counters.FOLDER and not slots.is_in_use(folder):
            shutil.rmtree(folder, ignore_errors=True)
