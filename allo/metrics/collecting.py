"""What all processes of this machine have counted, added up.

prometheus-client's own collector parses each key of each file, which takes most of the time of a
scrape. Here values are added up by their keys first, and a key is parsed once in a process's life.
"""

import json
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict

from allo.metrics import counters, slots

# The bucket of all values.
ALL = "+Inf"
# The name and the files of a version's folder.
NAME, FILES = re.compile(r"[0-9a-f]{12}"), {".db", ".lock"}


class Counted:
    """A collector of prometheus-client. It has every metric, also those that were not counted
    yet."""

    def collect(self) -> Iterable[Any]:
        if not counters.IS_SHARED:
            return list(counters.REGISTRY.collect())
        files = slots.files_of(counters.FOLDER)
        try:
            found = _metrics(files)
        except Exception:  # damaged; the next process with its number replaces it
            found = _metrics(filter(slots.is_readable, files))
        return [found.get(metric.name) or _empty(metric) for metric in counters.REGISTRY.collect()]


class Key(NamedTuple):
    metric: str
    sample: str
    labels: dict[str, str]
    says: str
    # Without the bucket's: what the values of one histogram have in common.
    others: dict[str, str]


@lru_cache(maxsize=20_000)
def _key(text: str) -> Key:
    metric, sample, labels, says = json.loads(text)
    others = {name: value for name, value in labels.items() if name != "le"}
    return Key(metric, sample, labels, says, others)


def _metrics(files: Iterable[str]) -> dict[str, Metric]:
    found: dict[str, Metric] = {}
    up_to: defaultdict[tuple[str, ...], float] = defaultdict(float)
    for (kind, text), value in _sums(files).items():
        key = _key(text)
        if key.metric not in found:
            found[key.metric] = Metric(key.metric, key.says, kind)
        metric = found[key.metric]
        if (bound := key.labels.get("le")) is None:
            metric.add_sample(key.sample, key.labels, value)
            continue
        # A file has the buckets of a histogram in their order, each without those before it.
        of = (key.metric, *key.others.values())
        up_to[of] += value
        metric.add_sample(key.sample, key.labels, up_to[of])
        if bound == ALL:
            metric.add_sample(f"{key.metric}_count", key.others, up_to[of])
    return found


def _sums(files: Iterable[str]) -> dict[tuple[str, str], float]:
    """By kind and key. What processes have now (gauges) is added up as well."""
    sums: defaultdict[tuple[str, str], float] = defaultdict(float)
    for file in files:
        kind = Path(file).name.partition("_")[0]
        values = MmapedDict.read_all_values_from_file(file)  # type: ignore[no-untyped-call]
        for text, value, _, _ in values:
            sums[kind, text] += value
    return sums


def _empty(metric: Any) -> Any:
    metric.samples = []
    return metric


def forget_other_versions() -> None:
    """Deletes the files of earlier definitions that no process counts into any more."""
    for folder in Path(counters.FOLDER).parent.glob("*/"):
        if folder != counters.FOLDER and _is_ours(folder) and not slots.is_in_use(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    """METRICS_DIR may be a folder in which others keep theirs, such as /dev/shm."""
    return bool(NAME.fullmatch(folder.name)) and all(
        path.suffix in FILES and path.is_file() for path in folder.glob("*")
    )
