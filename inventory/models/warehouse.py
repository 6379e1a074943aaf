from datetime import date, timedelta

from django.db import models

from allo.web.names import name_is_visible

SUNDAY = 7


class Warehouse(models.Model):
    code = models.SlugField(max_length=20, unique=True, help_text="For example blr-01.")
    name = models.CharField(
        max_length=80,
        validators=[name_is_visible],
        help_text="As shoppers read it, for example Bengaluru.",
    )
    position = models.PositiveSmallIntegerField(default=0)
    days_to_arrive = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="Days but for Sundays, until a parcel paid for today arrives at the latest."
        " Empty: the shop does not say.",
    )

    class Meta:
        ordering = ("position", "code")

    def __str__(self) -> str:
        return self.name

    def arrives_by(self, paid: date) -> date | None:
        """The day by which a parcel arrives that is paid for on that day."""
        if self.days_to_arrive is None:
            return None
        day, left = paid, self.days_to_arrive
        while left:
            day += timedelta(days=1)
            left -= day.isoweekday() != SUNDAY
        return day
