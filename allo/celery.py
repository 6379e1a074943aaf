"""The Celery application: `celery -A allo.celery worker` and `celery -A allo.celery beat`."""

import logging
import os
from typing import Any

# Before the other imports, one of which reads the settings.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "allo.settings")

from celery import Celery, Task
from celery.exceptions import Ignore

from allo import request_id
from allo.metrics import counters
from allo.postgresql.faults import fault_of, name_of

logger = logging.getLogger(__name__)


class ClockTask(Task):  # type: ignore[type-arg]
    """All lines of a run in the log have its id.

    A task that fails because of the database is run again by the clock. One line in the log each
    time, not a traceback every few seconds while the database is unreachable."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        request_id.begin(self.request.id or "")
        try:
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


app = Celery("allo", task_cls=ClockTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(["reservations.clock"])
