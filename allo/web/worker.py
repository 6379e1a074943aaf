"""Queues tasks from a request, without waiting for the worker or the broker."""

import os
import time
from threading import Lock
from typing import Any

from kombu.exceptions import OperationalError

from allo.redis_client import TIMEOUT_SECONDS

# Celery's own connections wait for the broker for seconds, also for one that refuses them.
IMPATIENT = {
    "socket_timeout": TIMEOUT_SECONDS,
    "socket_connect_timeout": TIMEOUT_SECONDS,
    "retry_on_timeout": False,
    "max_retries": 0,
}
# After a failure no request tries for as long: each would wait for the timeout.
PAUSE_SECONDS = 5.0


class Broker:
    """A process's one connection to the broker for its requests; a forked child has its own."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._turn = Lock()
        self._producer: Any = None
        self.failed_at = float("-inf")

    def queue(self, task: Any, args: tuple[object, ...]) -> bool:
        if not self._turn.acquire(timeout=TIMEOUT_SECONDS):
            return False
        try:
            if time.monotonic() - self.failed_at < PAUSE_SECONDS:
                return False
            task.apply_async(args=args, producer=self._producer_of(task.app), retry=False)
        except (OperationalError, OSError):
            self.failed_at = time.monotonic()
            return False
        finally:
            self._turn.release()
        return True

    def _producer_of(self, app: Any) -> Any:
        if self._producer is None:
            options = {**app.conf.broker_transport_options, **IMPATIENT}
            own = app.connection_for_write(transport_options=options)
            self._producer = app.amqp.Producer(own)
        return self._producer


broker = Broker()


def ask(task: Any, *args: object) -> bool:
    """Queues the task; false if the broker cannot be reached, or could not a moment ago. It takes a
    fraction of a second at the most, whatever the state of the broker."""
    return broker.queue(task, args)
