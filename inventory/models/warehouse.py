from django.db import models

from allo.web.names import name_is_visible


class Warehouse(models.Model):
    code = models.SlugField(max_length=20, unique=True, help_text="For example blr-01.")
    name = models.CharField(
        max_length=80,
        validators=[name_is_visible],
        help_text="As shoppers read it, for example Bengaluru.",
    )
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("position", "code")

    def __str__(self) -> str:
        return self.name
