"""A process with children that count, as the web server's workers do; one is killed.

Prints what the parent collects: after the children have counted, after one was killed, and after
its successor has counted, with the number of files each time.
"""

import json
import os
import signal
import sys
from collections.abc import Callable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "allo.settings")

from allo.metrics import counters
from allo.metrics.collecting import Counted

WANTED = {"allo_verbs_total", "allo_batch_commands_count", "allo_live_streams"}
BUCKETS = "allo_batch_commands_bucket"


def child(work: Callable[[], None]) -> int:
    """A child that works, and then waits for its end."""
    done, ready = os.pipe()
    if pid := os.fork():
        os.close(ready)
        assert os.read(done, 1) == b".", "it died"
        return pid
    work()
    os.write(ready, b".")
    signal.pause()
    return 0


def count() -> None:
    counters.VERBS.labels("reserve", "ok").inc()
    counters.BATCH.observe(3)
    counters.STREAMS.inc()


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def report() -> None:
    found = [sample for metric in Counted().collect() for sample in metric.samples]
    samples = {sample.name: sample.value for sample in found if sample.name in WANTED}
    buckets = [sample.value for sample in found if sample.name == BUCKETS]
    files = len(list(counters.FOLDER.glob("*.db")))
    print(json.dumps([counters.IS_SHARED, samples, buckets, files]))


def main() -> None:
    count()
    first, second = child(count), child(count)
    report()
    end(first)
    report()
    third = child(count)
    report()
    end(second)
    end(third)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
