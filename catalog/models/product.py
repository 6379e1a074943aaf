from datetime import datetime, timedelta
from math import ceil
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Case, F, Func, Index, Q, QuerySet, Value, When
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from allo.web.names import name_is_visible
from catalog import search, triggers
from catalog.choices import COLOURS
from catalog.models.category import Category
from catalog.models.pictures import Pictured

UNRANKED = 9
# India's highest rate of GST; most goods have 5 or 18, some are exempt.
MOST_GST = 40


class ProductQuerySet(QuerySet["Product"]):
    def published(self) -> Self:
        return self.filter(published_at__lte=Now())

    def for_staff(self, words: str) -> Self:
        """Those that a shopper's search finds, and unpublished ones too."""
        return self.matching(
            search.read(words.replace("\0", "").strip()[: search.LONGEST], hidden=True)
        )

    def matching(self, searched: search.Search) -> Self:
        """Products that have every word of the search somewhere in their text.

        Annotates `relevance`, the lower the better: 0 if the words are in the name, 1 if words of
        the name begin with them, 2 if they are in category, material, slug or tagline, 3 for the
        description. `UNRANKED` for all if too many products match.
        """
        found = self.filter(search_text__words__has=searched.query())
        if not searched.ranked:
            return found.annotate(relevance=Value(UNRANKED))
        ranks = (searched.query("A"), searched.query("*A"), searched.query("*ABC"))
        whens = (When(search_text__words__has=words, then=rank) for rank, words in enumerate(ranks))
        return found.annotate(relevance=Case(*whens, default=len(ranks)))


class Product(Pictured):
    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=80, validators=[name_is_visible])
    category = models.ForeignKey(Category, models.PROTECT)
    tagline = models.CharField(max_length=160)
    description = models.TextField(max_length=2000)
    material = models.CharField(max_length=120, blank=True)
    # The `MATERIALS` that the words name.
    materials = models.GeneratedField(
        expression=Func(F("material"), function="catalog_materials"),
        output_field=ArrayField(models.TextField()),
        db_persist=True,
    )
    colour = models.CharField(
        max_length=20,
        choices=[*COLOURS.items()],
        blank=True,
        default="",
        db_default="",
        help_text="What it is filtered by and found under. Empty: in no colour's list.",
    )
    dimensions_cm = models.CharField("dimensions (cm)", max_length=60, blank=True)
    price_paise = models.PositiveIntegerField("price (paise)", help_text="100 paise are one rupee.")
    gst_percent = models.PositiveSmallIntegerField(
        "GST (%)",
        default=18,
        db_default=18,
        validators=[MaxValueValidator(MOST_GST)],
        help_text="The price includes it.",
    )
    max_per_customer = models.PositiveIntegerField(
        "most for one customer",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Units held and bought together. Empty: no limit.",
    )
    position = models.PositiveIntegerField(default=0, help_text="Place in the shop's own order.")
    published_at = models.DateTimeField(
        "published from", null=True, blank=True, help_text="Not in the shop before."
    )
    opens_at = models.DateTimeField(
        "opens", null=True, blank=True, help_text="Nobody can hold any before this moment."
    )
    # Calendars replace an entry by one that was set later; a trigger sets it.
    opening_set_at = models.DateTimeField(db_default=Now(), editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    # annotated in `reservations.availability`
    total: int
    available: int
    run: int
    next_lapse_at: datetime | None
    stock_rows: list[str]
    read_at: datetime
    relevance: int  # annotated by `matching`

    objects = ProductQuerySet.as_manager()

    class Meta:
        ordering = ("position", "pk")
        constraints = (
            models.CheckConstraint(condition=Q(price_paise__gt=0), name="price_gt_zero"),
            models.CheckConstraint(
                condition=Q(gst_percent__lte=MOST_GST), name="gst_percent_known"
            ),
            models.CheckConstraint(
                condition=Q(max_per_customer__gt=0), name="max_per_customer_gt_zero"
            ),
            models.CheckConstraint(condition=Q(colour__in=["", *COLOURS]), name="colour_known"),
        )
        # For each order and filter of the grid, so that a page reads only the products that it
        # shows.
        indexes = (
            Index(fields=("position", "id"), name="product_by_place"),
            Index(fields=("-published_at", "position", "id"), name="product_by_newest"),
            Index(fields=("price_paise", "position", "id"), name="product_by_price"),
            Index(fields=("-price_paise", "position", "id"), name="product_by_price_down"),
            Index(fields=("name", "id"), name="product_by_name"),
            Index(fields=("colour", "position", "id"), name="product_by_colour"),
            GinIndex(fields=("materials",), name="product_by_material", fastupdate=False),
        )
        permissions = (("publish_product", "Can publish products"),)
        triggers = triggers.OF_PRODUCT

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("catalog:product", args=[self.slug])

    @property
    def is_published(self) -> bool:
        return self.published_at is not None and self.published_at <= timezone.now()

    @property
    def opens_later(self) -> bool:
        return self.seconds_to_opening > 0

    @property
    def seconds_to_opening(self) -> int:
        """Rounded up; 0 or less if it is open."""
        left = self.opens_at - timezone.now() if self.opens_at else timedelta()
        return ceil(left.total_seconds())

    @property
    def picture_slug(self) -> str:
        return self.slug
