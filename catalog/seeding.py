"""The shop's first catalogue, from `catalog/seed/`. What exists already is not changed."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from struct import unpack
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models import Max
from django.utils import timezone
from django.utils.text import slugify

from catalog.models import (
    Category,
    CategorySlug,
    Product,
    ProductPicture,
    ProductSlug,
    picture_name,
)

FOLDER = Path(__file__).parent / "seed"


class SeedError(Exception):
    """A file of the seed is missing or broken; the message names it."""


@dataclass(frozen=True, slots=True)
class Picture:
    path: Path
    width: int
    height: int
    alt: str
    dominant_hex: str

    def kept(self, slug: str) -> dict[str, Any]:
        """Writes the file to the shop's pictures; returns the fields of the row that shows it. An
        image field with a file would open it several times for its size."""
        content = ContentFile(self.path.read_bytes())
        name = picture_name(slug, content, self.path.name)
        shown = ("width", "height", "alt", "dominant_hex")
        return {
            "image": default_storage.save(name, content),
            **{field: getattr(self, field) for field in shown},
        }


@dataclass(frozen=True, slots=True)
class Item:
    """A product of the file, with its opening units by warehouse code."""

    position: int
    category: str
    price_paise: int
    picture: Picture
    further: list[Picture]
    stock: dict[str, int]
    texts: dict[str, str]

    @property
    def slug(self) -> str:
        return self.texts["slug"]


_TEXTS = ("slug", "name", "tagline", "description", "material", "colour", "dimensions_cm")


def read(folder: Path = FOLDER) -> list[Item]:
    path = folder / "catalog.json"
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [_item(position, row, folder) for position, row in enumerate(rows)]
    except OSError as error:
        raise SeedError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SeedError(f"{path} is not a catalogue: {error!r}") from error


def _item(position: int, row: dict[str, Any], folder: Path) -> Item:
    return Item(
        position=position,
        category=row["category"],
        price_paise=int(row["price_inr"]) * 100,
        picture=_picture(row, folder),
        further=[_picture(view, folder) for view in row.get("more", ())],
        stock={code: int(units) for code, units in row["stock"].items()},
        texts={name: str(row[name]) for name in _TEXTS},
    )


def _picture(row: dict[str, Any], folder: Path) -> Picture:
    return Picture(
        path=folder / "products" / row["image"],
        width=int(row["width"]),
        height=int(row["height"]),
        alt=str(row["alt"]),
        dominant_hex=str(row["dominant_hex"]),
    )


def check(items: Iterable[Item]) -> None:
    """That each picture is there and whole, by the first bytes of its file: to open them all would
    take as long as to seed them. Raises `SeedError`."""
    for picture in (picture for item in items for picture in (item.picture, *item.further)):
        try:
            with picture.path.open("rb") as file:
                kind, size, form = unpack("<4sI4s", file.read(12).ljust(12))
                end = file.seek(0, SEEK_END)
        except OSError as error:
            raise SeedError(f"{picture.path}: {error.strerror}") from error
        if (kind, form, size + 8) != (b"RIFF", b"WEBP", end):
            raise SeedError(f"{picture.path} is not a whole WebP picture")


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
            published_at=now,
            **item.texts,
            **item.picture.kept(item.slug),
        )
        for item in items
    )
    ProductPicture.objects.bulk_create(
        ProductPicture(product=product, position=place, **picture.kept(item.slug))
        for product, item in zip(planted, items, strict=True)
        for place, picture in enumerate(item.further, start=1)
    )


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
