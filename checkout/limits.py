"""How often a network may begin to pay, and look at what it paid.

Each counts an attempt, and returns the seconds to wait if there were too many, else 0.
"""

from django.conf import settings
from django.http import HttpRequest

from allo.web.address import client_network
from allo.web.rate import seconds_to_wait


def to_pay(request: HttpRequest) -> int:
    """Opening an order, and its page at the provider."""
    return seconds_to_wait(settings.PAY_RATE, "pay", client_network(request))


def to_look(request: HttpRequest) -> int:
    """Looking at the provider. It has a limit of its own, so that shoppers who come back after
    paying are never refused."""
    return seconds_to_wait(settings.PAY_RATE, "look", client_network(request))
