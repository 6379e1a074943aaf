"""Shortages of an inventory row, as conditions on it."""

from django.db.models import F, Q, TextChoices

# Held units count: holds come and go within minutes, what stands on the shelf does not. A threshold
# of 0 is never reached.
LOW = Q(low_stock_threshold__gt=0, total_units__lte=F("low_stock_threshold"))
SOLD_OUT = Q(total_units=0)
FULLY_HELD = Q(total_units__gt=0, reserved_units=F("total_units"))


class Shortage(TextChoices):
    """A shortage of a row. A row that is sold out may be low as well."""

    LOW = "low", "Low"
    SOLD_OUT = "sold_out", "Sold out"
    FULLY_HELD = "fully_held", "Fully held"


# The gravest first.
SHORTAGES = {Shortage.SOLD_OUT: SOLD_OUT, Shortage.FULLY_HELD: FULLY_HELD, Shortage.LOW: LOW}
