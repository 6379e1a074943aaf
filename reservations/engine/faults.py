"""Faults of the database as refusals."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import Error

from allo.postgresql.faults import Fault, fault_of, name_of
from reservations.exceptions import Busy, Storage

logger = logging.getLogger(__name__)


def refusal_of(error: Exception) -> Exception:
    """`Busy` or `Storage`; the error itself if it is none of the database's faults."""
    fault = fault_of(error)
    if fault is None:
        return error
    logger.warning("%s: %s", fault.value, name_of(error))
    return Storage() if fault is Fault.STORAGE else Busy()


@contextmanager
def refusing_faults() -> Iterator[None]:
    """Raises them as refusals."""
    try:
        yield
    except Error as error:
        if (refusal := refusal_of(error)) is error:
            raise
        raise refusal from error
