"""The days that people may name."""

from datetime import date

from django.core.exceptions import ValidationError

FIRST_YEAR, LAST_YEAR = 2000, 2999


def year_is_near(day: date) -> None:
    """For days and moments. PostgreSQL stores some that Python cannot read back, or whose next day
    Python does not know."""
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValidationError(f"Give a year from {FIRST_YEAR} to {LAST_YEAR}.")
