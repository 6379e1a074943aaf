"""The days of the shop's calendar, and how many reservations were made and ended on each, as the
clock counts them. Pages of trends read these rows, and not the history."""

from datetime import timedelta

from django.db import models
from django.db.models import F, Q

from inventory.models import Inventory

# A transaction that began before midnight may commit after it; none of the shop's lasts as long as
# this.
SETTLED = timedelta(hours=1)


class CountedDay(models.Model):
    """A day in the time zone in which it was counted. Its counts contain what happened until
    `counted_at`; once that is `SETTLED` after its end, they are final."""

    day = models.DateField(primary_key=True)
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    counted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("day",)
        default_permissions = ()
        constraints = (
            models.CheckConstraint(condition=Q(ends_at__gt=F("begins_at")), name="day_has_hours"),
        )

    def __str__(self) -> str:
        return f"{self.day}"

    @property
    def is_final(self) -> bool:
        return self.counted_at is not None and self.counted_at >= self.ends_at + SETTLED


class DayCount(models.Model):
    """Counts of one inventory row on one day: reservations that were made, and that ended in each
    final state. A row without any has no counts. Units and worth are counted only for reservations
    that ended."""

    day = models.ForeignKey(CountedDay, models.CASCADE, db_index=False)
    inventory = models.ForeignKey(Inventory, models.PROTECT)
    held = models.PositiveIntegerField()
    confirmed = models.PositiveIntegerField()
    expired = models.PositiveIntegerField()
    released = models.PositiveIntegerField()
    confirmed_units = models.PositiveIntegerField()
    confirmed_paise = models.PositiveBigIntegerField()

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("day", "inventory"), name="one_count_of_row_and_day"),
        )

    def __str__(self) -> str:
        return f"{self.held} held on {self.day_id}"
