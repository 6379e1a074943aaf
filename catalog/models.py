"""What is sold."""

from datetime import datetime
from hashlib import sha256
from typing import Self

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Case, Count, F, Min, OuterRef, Q, QuerySet, Subquery, Sum, When
from django.db.models.functions import Coalesce, Now
from django.urls import reverse
from django.utils import timezone


class CategoryQuerySet(QuerySet["Category"]):
    def with_found(self, products: "ProductQuerySet") -> Self:
        """Annotates `found`: how many of these products are of the category."""
        return self.annotate(found=Count("product", filter=Q(product__in=products.values("pk"))))


class Category(models.Model):
    name = models.CharField(max_length=80, unique=True)
    slug = models.SlugField(max_length=80, unique=True)
    position = models.PositiveSmallIntegerField(default=0)

    found: int  # annotated by `with_found`

    objects = CategoryQuerySet.as_manager()

    class Meta:
        ordering = ("position", "name")
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


def picture_path(product: "Product", filename: str) -> str:
    """A name that carries the content's hash, so that a picture can be cached for ever."""
    digest = sha256()
    for chunk in product.image.chunks():
        digest.update(chunk)
    return f"products/{product.slug}.{digest.hexdigest()[:12]}.{filename.rpartition('.')[2]}"


def sized(name: str, width: int) -> str:
    """Where a picture is kept in this width: under its hash too."""
    stem, digest, suffix = name.rsplit(".", 2)
    return f"{stem}-{width}.{digest}.{suffix}"


class ProductQuerySet(QuerySet["Product"]):
    def published(self) -> Self:
        return self.filter(published_at__lte=Now())

    def with_stock(self) -> Self:
        """Annotates `total`, `held`, `available` (units over all warehouses) and `next_lapse_at`:
        when the first hold may lapse, for products of which every unit is held."""
        lapse = Product.objects.filter(
            pk=OuterRef("pk"), inventory__reservation__status="pending"
        ).annotate(first=Min("inventory__reservation__expires_at"))
        return self.annotate(
            total=Coalesce(Sum("inventory__total_units"), 0),
            held=Coalesce(Sum("inventory__reserved_units"), 0),
            available=F("total") - F("held"),
            next_lapse_at=Case(
                When(Q(total__gt=0) & Q(held=F("total")), then=Subquery(lapse.values("first")))
            ),
        )

    def in_stock(self) -> Self:
        """Of products `with_stock`, those of which a unit is free."""
        return self.filter(available__gt=0)

    def matching(self, words: str) -> Self:
        """Products that have every word of the search somewhere in their text."""
        found = self
        for word in words.split()[:8]:
            found = found.filter(
                Q(name__icontains=word)
                | Q(tagline__icontains=word)
                | Q(material__icontains=word)
                | Q(category__name__icontains=word)
            )
        return found


class Product(models.Model):
    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=80)
    category = models.ForeignKey(Category, models.PROTECT)
    tagline = models.CharField(max_length=160)
    description = models.TextField(max_length=2000)
    material = models.CharField(max_length=120, blank=True)
    dimensions_cm = models.CharField("dimensions (cm)", max_length=60, blank=True)
    price_paise = models.PositiveIntegerField("price (paise)", help_text="100 paise are one rupee.")
    image = models.ImageField(upload_to=picture_path, width_field="width", height_field="height")
    width = models.PositiveSmallIntegerField(editable=False)
    height = models.PositiveSmallIntegerField(editable=False)
    # Those that exist besides the picture itself; None while they are still to be made.
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
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    # annotated by `with_stock`
    total: int
    held: int
    available: int
    next_lapse_at: datetime | None

    objects = ProductQuerySet.as_manager()

    class Meta:
        ordering = ("position", "pk")
        constraints = (
            models.CheckConstraint(condition=Q(price_paise__gt=0), name="price_gt_zero"),
        )
        permissions = (("publish_product", "Can publish products"),)

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("catalog:product", args=[self.slug])

    @property
    def is_published(self) -> bool:
        return self.published_at is not None and self.published_at <= timezone.now()

    @property
    def srcset(self) -> str:
        """The picture in every width there is, for the browser to choose; "" while there is one."""
        if not self.widths:
            return ""
        storage, name = self.image.storage, self.image.name or ""
        sizes = [f"{storage.url(sized(name, width))} {width}w" for width in self.widths]
        return ", ".join([*sizes, f"{self.image.url} {self.width}w"])


class ReplacedPicture(models.Model):
    """A picture that no product has any more, and whose files are still there: see
    `catalog.pictures.retire`."""

    name = models.CharField(max_length=100, unique=True)
    widths = models.JSONField(default=list)
    replaced_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
