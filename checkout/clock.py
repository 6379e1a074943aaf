"""What the clock does for money: it settles what is due. One failure does not stop the others."""

import logging
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from django.db import connection

from checkout import due, settle
from checkout.models import Payment
from checkout.payments.base import ProviderError
from reservations.exceptions import ReservationError

logger = logging.getLogger(__name__)

# How many payments are looked at in parallel, since each mostly waits for the provider, and how
# many in one run, so that a run ends before the next begins.
AT_ONCE, OF_ONE_RUN = 8, 100


def settle_due() -> int:
    """Settles the payments that are due; returns how many were looked at."""
    mine = [payment.pk for payment in due.chosen(OF_ONE_RUN) if due.claim(payment)]
    with ThreadPoolExecutor(AT_ONCE) as looks:
        list(looks.map(_look_in_a_thread, mine))
    return len(mine)


def settle_one(payment_id: UUID) -> None:
    """If the provider cannot be reached, or the database is busy, the clock looks again later."""
    try:
        settle.settle(payment_id)
    except (ProviderError, ReservationError) as error:
        logger.warning("payment %s is not settled: %s", payment_id, type(error).__name__)
    except Payment.DoesNotExist:
        logger.warning("payment %s does not exist", payment_id)


def _look_in_a_thread(payment_id: UUID) -> None:
    try:
        settle_one(payment_id)
    except Exception:
        # One bad payment must not stop the others.
        logger.exception("payment %s", payment_id)
    finally:
        connection.close()
