"""The Celery application: `celery -A allo.celery worker` and `celery -A allo.celery beat`."""

import logging
import os
from typing import Any

# Before the other imports, one of which reads the settings.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "allo.settings")

from celery import Celery, Task, signals
from celery.exceptions import Ignore
from kombu.exceptions import OperationalError

from allo import request_id
from allo.metrics import counters
from allo.postgresql.faults import fault_of, name_of

logger = logging.getLogger(__name__)

# Beat sets this header.
OF_BEAT = "celery_beat_task"
# About 50 MB in Redis; beat alone queues as much in 11 hours.
LONGEST_QUEUE = 50_000


class ClockTask(Task):  # type: ignore[type-arg]
    """All lines of a run in the log have its id.

    A task that fails because of the database is run again by the clock. One line in the log each
    time, not a traceback every few seconds while the database is unreachable.

    What beat queued is done once in its period, however many beats there are; what an event queued
    is always done. While no worker takes anything, the queue grows to a bound: whoever queues more
    is refused as if the broker were away, and beat comes again anyway.
    """

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        request_id.begin(self.request.id or "")
        try:
            if not self._has_its_turn():
                return None
            done = super().__call__(*args, **kwargs)
        except Exception as error:
            fault = fault_of(error)
            counters.TASKS.labels(self.name, fault.value if fault else "error").inc()
            if not fault:
                raise
            logger.warning("%s was not done: %s: %s", self.name, fault.value, name_of(error))
            raise Ignore from error
        counters.TASKS.labels(self.name, "ok").inc()
        return done

    def apply_async(self, *args: Any, **options: Any) -> Any:
        producer = options.get("producer")
        if producer is None or _length(producer) < LONGEST_QUEUE:
            return super().apply_async(*args, **options)
        logger.warning("%s was not queued: no worker takes any task", self.name)
        if (options.get("headers") or {}).get(OF_BEAT):
            return None
        raise OperationalError("the queue is full")

    def _has_its_turn(self) -> bool:
        from reservations.clock import turns  # noqa: PLC0415 - not before Django is set up

        return not (self.request.headers or {}).get(OF_BEAT) or turns.take(self.name)


def _length(producer: Any) -> int:
    declared = producer.channel.queue_declare(app.conf.task_default_queue)
    return int(declared.message_count)


app = Celery("allo", task_cls=ClockTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(["reservations.clock"])


@signals.worker_process_shutdown.connect
def _end(**_: object) -> None:
    """A process of the prefork pool ends without what `atexit` has."""
    from allo import reporting  # noqa: PLC0415 - not before Django is set up

    reporting.end()
