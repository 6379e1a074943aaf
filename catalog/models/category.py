from django.db import models

from allo.web.names import name_is_visible
from catalog import triggers


class Category(models.Model):
    name = models.CharField(max_length=80, unique=True, validators=[name_is_visible])
    slug = models.SlugField(max_length=80, unique=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("position", "name")
        verbose_name_plural = "categories"
        triggers = triggers.OF_CATEGORY

    def __str__(self) -> str:
        return self.name
