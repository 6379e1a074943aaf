"""The shop's first catalogue, from `catalog/seed/`. What exists already is not changed."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile
from django.db.models import Max
from django.utils import timezone
from django.utils.text import slugify
from PIL import Image, UnidentifiedImageError

from catalog.models import Category, CategorySlug, Product, ProductPicture, ProductSlug

FOLDER = Path(__file__).parent / "seed"


class SeedError(Exception):
    """A file of the seed is missing or broken; the message names it."""


@dataclass(frozen=True, slots=True)
class View:
    """A further picture of a product."""

    picture: Path
    alt: str
    dominant_hex: str


@dataclass(frozen=True, slots=True)
class Item:
    """A product of the file, with its opening units by warehouse code."""

    position: int
    category: str
    price_paise: int
    picture: Path
    views: list[View]
    stock: dict[str, int]
    texts: dict[str, str]

    @property
    def slug(self) -> str:
        return self.texts["slug"]


_TEXTS = (
    "slug", "name", "tagline", "description", "material", "dimensions_cm", "alt", "dominant_hex",
)  # fmt: skip


def read(folder: Path = FOLDER) -> list[Item]:
    path = folder / "catalog.json"
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        items = [_item(position, row, folder) for position, row in enumerate(rows)]
    except OSError as error:
        raise SeedError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SeedError(f"{path} is not a catalogue: {error!r}") from error
    for item in items:
        for picture in (item.picture, *(view.picture for view in item.views)):
            _check(picture)
    return items


def _item(position: int, row: dict[str, Any], folder: Path) -> Item:
    return Item(
        position=position,
        category=row["category"],
        price_paise=int(row["price_inr"]) * 100,
        picture=folder / "products" / row["image"],
        views=[
            View(folder / "products" / view["image"], str(view["alt"]), str(view["dominant_hex"]))
            for view in row.get("more", ())
        ],
        stock={code: int(units) for code, units in row["stock"].items()},
        texts={name: str(row[name]) for name in _TEXTS},
    )


def _check(picture: Path) -> None:
    try:
        with Image.open(picture) as image:
            image.verify()
    except FileNotFoundError as error:
        raise SeedError(f"{picture}: {error.strerror}") from error
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise SeedError(f"{picture} is not a picture: {error}") from error


def missing(items: Iterable[Item]) -> list[Item]:
    """The items whose product is not in the shop, under this slug or a later one."""
    known = set(ProductSlug.objects.values_list("slug", flat=True))
    return [item for item in items if item.slug not in known]


def plant(items: list[Item]) -> None:
    """Creates the products with their pictures, and their categories in the order of the file."""
    categories = _categories(item.category for item in items)
    now = timezone.now()
    planted = Product.objects.bulk_create(
        Product(
            category=categories[item.category],
            position=item.position,
            price_paise=item.price_paise,
            image=_file(item.picture),
            published_at=now,
            **item.texts,
        )
        for item in items
    )
    ProductPicture.objects.bulk_create(
        ProductPicture(
            product=product,
            position=place,
            image=_file(view.picture),
            alt=view.alt,
            dominant_hex=view.dominant_hex,
        )
        for product, item in zip(planted, items, strict=True)
        for place, view in enumerate(item.views, start=1)
    )


def _file(picture: Path) -> "ContentFile[bytes]":
    return ContentFile(picture.read_bytes(), name=picture.name)


def _categories(names: Iterable[str]) -> dict[str, Category]:
    known = {category.name: category for category in Category.objects.all()}
    kept = CategorySlug.objects.select_related("category")
    renamed = {slug.slug: slug.category for slug in kept}
    last = Category.objects.aggregate(last=Max("position", default=-1))["last"]
    for name in names:
        if name in known:
            continue
        slug = slugify(name)
        if slug not in renamed:
            last += 1
            renamed[slug] = Category.objects.create(name=name, slug=slug, position=last)
        known[name] = renamed[slug]
    return known
