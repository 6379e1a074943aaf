"""The days that people may name."""

from datetime import date

from django.core.exceptions import ValidationError

FIRST_YEAR, LAST_YEAR = 2000, 2999


def year_is_near(day: date) -> None:
    """Also for a moment. The database takes days that Python then cannot read, or add one to."""
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValidationError(f"Give a year from {FIRST_YEAR} to {LAST_YEAR}.")
