"""From a program's request to pay to its answer."""

import logging
from dataclasses import replace

from checkout import looking
from checkout.api import answers, outcomes
from checkout.api.attempts import attempt
from checkout.api.confirming import Confirming
from checkout.orders import opening
from checkout.payments.base import ProviderError
from reservations.api.answers import refused
from reservations.engine.idempotency import Reply
from reservations.exceptions import ReservationError

logger = logging.getLogger(__name__)


def confirm(it: Confirming) -> Reply:
    """Raises `Problem`."""
    try:
        with looking.turn(opening.provider_for(it.found)):
            return _confirm(it)
    except ReservationError as refusal:
        return refused(refusal)
    except ProviderError as error:
        logger.warning("reservation %s: %s", it.found.pk, type(error).__name__)
        return answers.as_reply(answers.PAYMENT_UNDECIDED)


def _confirm(it: Confirming) -> Reply:
    made = attempt(it)
    if isinstance(made, Reply):
        return made
    payment, before = made
    return replace(outcomes.pay(payment, it.method_for(payment)), replayed=before)
