# mypy: allow-untyped-calls
# pgtrigger is only partly typed.

import pgtrigger
from django.db import models
from django.db.models import Q
from pgtrigger import Condition

from allo.postgresql.triggers import Refuse

# With the years before it, this makes the 16 characters that the law allows.
LAST_SERIAL = 99_999_999


class InvoiceCounter(models.Model):
    """The last serial number of a financial year, which is named by the calendar year in which it
    begins. It is increased in the transaction that gives the number to an order, so that no number
    is missing."""

    year = models.PositiveSmallIntegerField(primary_key=True)
    last = models.PositiveIntegerField()

    class Meta:
        default_permissions = ()
        constraints = (
            models.CheckConstraint(
                condition=Q(last__gte=1, last__lte=LAST_SERIAL), name="invoice_serial_fits"
            ),
        )
        triggers = (
            Refuse(
                name="invoices_begin_at_one",
                operation=pgtrigger.Insert,
                condition=Condition("NEW.last <> 1"),
            ),
            Refuse(
                name="invoices_are_consecutive",
                operation=pgtrigger.Update,
                condition=Condition("NEW.year <> OLD.year OR NEW.last <> OLD.last + 1"),
            ),
            Refuse(name="invoice_counters_are_kept", operation=pgtrigger.Delete),
        )

    def __str__(self) -> str:
        return f"{self.last} of {self.year}"
