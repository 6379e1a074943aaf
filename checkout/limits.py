"""How often a network may begin to pay, and a shopper write at checkout.

Each counts an attempt, and returns the seconds to wait if there were too many, else 0.
"""

from django.conf import settings
from django.http import HttpRequest

from allo.web.address import client_network
from allo.web.rate import seconds_to_wait


def to_pay(request: HttpRequest) -> int:
    """An order, and its page at the provider."""
    return seconds_to_wait(settings.PAY_RATE, "pay", client_network(request))


def to_look(request: HttpRequest) -> int:
    """A look at the provider. It does not use up the attempts to pay: those who come back from
    having paid are never refused."""
    return seconds_to_wait(settings.PAY_RATE, "look", client_network(request))


def to_write(holder: str) -> int:
    """Whatever else is written about what a shopper holds. How many holders a network can have is
    bounded by what it may hold, so a limit for each network is not needed."""
    return seconds_to_wait(settings.API_RATE, "holder", holder)
