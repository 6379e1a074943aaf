"""Queues tasks from a request, without waiting for the worker or the broker."""

from typing import Any

from kombu.exceptions import OperationalError


def ask(task: Any) -> bool:
    """Queues the task; false if the broker cannot be reached."""
    try:
        task.apply_async(retry=False)
    except (OperationalError, OSError):
        return False
    return True
