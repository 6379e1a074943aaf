"""Openings: the moment from which a product can be held."""

from datetime import datetime

from django.utils.timezone import localtime


def in_words(moment: datetime) -> str:
    """Such as "Thursday 3 December 2026 at 18:00 IST", in the shop's zone."""
    there = localtime(moment)
    seconds = ":%S" if there.second else ""
    return f"{there:%A %-d %B %Y} at {there.strftime(f'%H:%M{seconds} %Z')}"
