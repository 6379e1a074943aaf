"""How often a shopper may write about what it holds."""

from django.conf import settings

from allo.web.rate import seconds_to_wait


def to_write(holder: str) -> int:
    """Counts an attempt, and returns the seconds to wait if there were too many, else 0. There is
    no limit for each network, since what a network may hold bounds the number of its holders."""
    return seconds_to_wait(settings.API_RATE, "holder", holder)
