from datetime import datetime, timedelta
from hashlib import sha256
from math import ceil
from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Case, Index, Q, QuerySet, Value, When
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from allo.web.names import name_is_visible
from catalog import search, triggers
from catalog.models.category import Category


def picture_path(product: "Product", filename: str) -> str:
    """A name with a hash of the content, so that a picture can be cached for ever."""
    digest = sha256()
    for chunk in product.image.chunks():
        digest.update(chunk)
    return f"products/{product.slug}.{digest.hexdigest()[:12]}.{filename.rpartition('.')[2]}"


def sized(name: str, width: int) -> str:
    """The file name of the picture in this width; it has the hash too."""
    stem, digest, suffix = name.rsplit(".", 2)
    return f"{stem}-{width}.{digest}.{suffix}"


UNRANKED = 9
# India's highest rate of GST; most goods have 5 or 18, some are exempt.
MOST_GST = 40


class ProductQuerySet(QuerySet["Product"]):
    def published(self) -> Self:
        return self.filter(published_at__lte=Now())

    def for_staff(self, words: str) -> Self:
        """Those that a shopper's search finds, and what is not published too."""
        return self.matching(
            search.read(words.replace("\0", "").strip()[: search.LONGEST], hidden=True)
        )

    def matching(self, searched: search.Search) -> Self:
        """Products that have every word of the search somewhere in their text. Annotates
        `relevance`, the less the better: 0 the words are in the name, 1 in the name something
        begins with them, 2 in category, material, slug or tagline, 3 in the description too; or
        `UNRANKED` for all."""
        found = self.filter(search_text__words__has=searched.query())
        if not searched.ranked:
            return found.annotate(relevance=Value(UNRANKED))
        ranks = (searched.query("A"), searched.query("*A"), searched.query("*ABC"))
        whens = (When(search_text__words__has=words, then=rank) for rank, words in enumerate(ranks))
        return found.annotate(relevance=Case(*whens, default=len(ranks)))


class Product(models.Model):
    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=80, validators=[name_is_visible])
    category = models.ForeignKey(Category, models.PROTECT)
    tagline = models.CharField(max_length=160)
    description = models.TextField(max_length=2000)
    material = models.CharField(max_length=120, blank=True)
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
    image = models.ImageField(upload_to=picture_path, width_field="width", height_field="height")
    width = models.PositiveSmallIntegerField(editable=False)
    height = models.PositiveSmallIntegerField(editable=False)
    # The widths that exist besides the picture itself; None until they have been made.
    widths = models.JSONField(null=True, default=None, editable=False)
    alt = models.CharField("alternative text", max_length=200)
    dominant_hex = models.CharField(
        "placeholder colour",
        max_length=7,
        default="#808080",
        validators=[RegexValidator(r"^#[0-9a-f]{6}$")],
    )
    position = models.PositiveIntegerField(default=0, help_text="Place in the shop's own order.")
    published_at = models.DateTimeField(
        "published from", null=True, blank=True, help_text="Not in the shop before."
    )
    opens_at = models.DateTimeField(
        "opens", null=True, blank=True, help_text="Nobody can hold any before this moment."
    )
    # Calendars replace an earlier entry by one that was set later; a trigger keeps it.
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
        )
        # Each order of the grid, so that a page reads what it shows and not all that it could.
        indexes = (
            Index(fields=("position", "id"), name="product_by_place"),
            Index(fields=("-published_at", "position", "id"), name="product_by_newest"),
            Index(fields=("price_paise", "position", "id"), name="product_by_price"),
            Index(fields=("-price_paise", "position", "id"), name="product_by_price_down"),
            Index(fields=("name", "id"), name="product_by_name"),
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
    def srcset(self) -> str:
        """The `srcset` with every width of the picture; "" while there is only one."""
        if not self.widths:
            return ""
        storage, name = self.image.storage, self.image.name or ""
        sizes = [f"{storage.url(sized(name, width))} {width}w" for width in self.widths]
        return ", ".join([*sizes, f"{self.image.url} {self.width}w"])


class ReplacedPicture(models.Model):
    """A picture that no product has any more but whose files are still kept: see
    `catalog.pictures.retire`."""

    name = models.CharField(max_length=100, unique=True)
    widths = models.JSONField(default=list)
    replaced_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
