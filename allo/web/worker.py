"""How a request asks the worker for something, without waiting for it or for its broker."""

from typing import Any

from kombu.exceptions import OperationalError


def ask(task: Any) -> bool:
    """Queues the task; false if the broker cannot be reached just now."""
    try:
        task.apply_async(retry=False)
    except (OperationalError, OSError):
        return False
    return True
