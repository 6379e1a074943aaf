"""All that the shop counts, by name. Count after the commit: `.labels(...).inc()` takes 2 µs.

A label has few values, all of them the code's own: never what a client sent. docs/monitoring.md
says what each is for.
"""

import logging
import os
from hashlib import blake2b
from pathlib import Path

from django.conf import settings
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    values,
)
from prometheus_client.values import MultiProcessValue

from allo.metrics.slots import Slot

logger = logging.getLogger(__name__)

# Of these definitions: the files of another version have other series.
VERSION = blake2b(Path(__file__).read_bytes(), digest_size=6).hexdigest()
FOLDER = Path(settings.METRICS_DIR) / VERSION


def _share() -> bool:
    """Lets this process count into files of the folder; where that cannot be, in its memory."""
    folder = FOLDER.parent
    # The state folder is not made here: a backup is restored only into an empty one.
    if folder.parent == settings.STATE_DIR and not settings.STATE_DIR.exists():
        return False
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        slot = Slot(FOLDER)
    except OSError as error:
        logger.warning(
            "this process counts for itself, as METRICS_DIR %s cannot be used: %s",
            folder,
            error.strerror,
        )
        return False
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(FOLDER)
    values.ValueClass = MultiProcessValue(slot)  # type: ignore[no-untyped-call]
    return True


IS_SHARED = _share()
REGISTRY = CollectorRegistry()
disable_created_metrics()  # type: ignore[no-untyped-call]

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 0.5, 1.0, 5.0)
_SLOW = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

# --- requests ------------------------------------------------------------------------------------

REQUESTS = Histogram(
    "allo_request_seconds",
    "Time of a request in the web server, by view.",
    ["view"],
    buckets=_SLOW,
    registry=REGISTRY,
)
RESPONSES = Counter(
    "allo_responses",
    "Answers of the web server, by view and class of status.",
    ["view", "status"],
    registry=REGISTRY,
)
ERRORS = Counter("allo_errors", "Errors of the shop that were logged.", registry=REGISTRY)

# --- reservations --------------------------------------------------------------------------------

VERBS = Counter(
    "allo_verbs",
    "Calls of the verbs, by what became of them.",
    ["verb", "outcome"],
    registry=REGISTRY,
)
RESERVATIONS = Counter(
    "allo_reservations",
    "What happened to reservations.",
    ["happened"],
    registry=REGISTRY,
)
BATCH = Histogram(
    "allo_batch_commands",
    "Commands that shared a transaction.",
    buckets=(1, 2, 4, 8, 16, 32, 64),
    registry=REGISTRY,
)
LOCKING = Histogram(
    "allo_lock_seconds",
    "Until a transaction had all its rows locked and read.",
    buckets=_FAST,
    registry=REGISTRY,
)
POOL_WAIT = Histogram(
    "allo_pool_wait_seconds",
    "Until a thread had a connection of the pool, or was refused one.",
    buckets=_FAST,
    registry=REGISTRY,
)

# --- the clock, mail, live updates ---------------------------------------------------------------

TASKS = Counter(
    "allo_tasks",
    "Tasks of the worker, by what became of them.",
    ["task", "outcome"],
    registry=REGISTRY,
)
MAILS = Counter(
    "allo_mails",
    "Tries to send a mail, by what became of them.",
    ["outcome"],
    registry=REGISTRY,
)
DELIVERIES = Counter(
    "allo_deliveries",
    "Tries to deliver an event to a webhook, by what became of them.",
    ["outcome"],
    registry=REGISTRY,
)
PAYMENT_CALLS = Counter(
    "allo_payment_calls",
    "Calls of the payment provider, by class of status.",
    ["outcome"],
    registry=REGISTRY,
)
STREAMS = Gauge(
    "allo_live_streams",
    "Event streams that are open.",
    multiprocess_mode="sum",
    registry=REGISTRY,
)
STREAMS_REFUSED = Counter(
    "allo_live_streams_refused",
    "Event streams that were refused, as there were too many.",
    registry=REGISTRY,
)
NOT_PUBLISHED = Counter(
    "allo_live_failures",
    "Times at which changes could not be published to open pages.",
    registry=REGISTRY,
)


def class_of(status: int) -> str:
    """Of an HTTP status: "2xx"."""
    return f"{status // 100}xx" if 100 <= status < 600 else "other"
