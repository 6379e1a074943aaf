"""How often a network may ask for mail to an address that somebody types: a code, or a link."""

from django.conf import settings
from django.http import HttpRequest

from allo.web.address import client_network
from allo.web.rate import seconds_to_wait


def to_ask(request: HttpRequest) -> int:
    """Counts an attempt, and returns the seconds to wait if there were too many, else 0."""
    return seconds_to_wait(settings.CODE_RATE, "code", client_network(request))
