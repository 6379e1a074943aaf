"""Pictures that staff upload, and their files.

What is kept is drawn anew as WebP, so that nothing but pixels survives: no metadata (where a
photograph was taken), and nothing that was hidden behind a picture's end.
"""

import json
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import IO

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, default_storage
from django.db import transaction
from django.db.models.functions import Now
from PIL import Image

from allo import confined
from allo.confined import MEGABYTE, Failed, Limits, TooMuch
from catalog.models import Product, ReplacedPicture, sized
from catalog.redrawing import webp

MOST_MEGABYTES = 10
MOST_BYTES = MOST_MEGABYTES * MEGABYTE
WIDTHS = (400, 800, 1600)

logger = logging.getLogger(__name__)


class PictureError(Exception):
    """Why a file is not taken as a picture, in words for the person who sent it."""


@dataclass(frozen=True, slots=True)
class Picture:
    content: bytes
    dominant_hex: str


def limits(size: int) -> Limits:
    """A picture of 5 kB costs a second and 100 MB at the most, with what the interpreter takes; one
    of a megabyte may have all the pixels that are allowed."""
    share = size / MEGABYTE
    return Limits(
        cpu_seconds=min(0.8 + 20 * share, 20),
        memory=int(min(72 + 1000 * share, 640) * MEGABYTE),
        wall_seconds=45,
    )


def redraw(file: IO[bytes], size: int) -> Picture:
    """The picture as `catalog.redrawing` draws it. Raises `PictureError`."""
    if size > MOST_BYTES:
        raise PictureError(f"The file is larger than {MOST_MEGABYTES} MB.")
    try:
        with confined.running("catalog.redrawing", file, limits(size)) as output:
            words, content = json.loads(output.readline() or b"{}"), output.read()
    except TooMuch as error:
        words = f"The picture takes more {error.of} to open than a file of its size may."
        raise PictureError(words) from error
    except Failed as error:
        logger.warning("a picture could not be drawn: %s", error)
        raise PictureError("The picture is broken.") from error
    if "refused" in words:
        raise PictureError(words["refused"])
    return Picture(content, words["dominant_hex"])


def make_sizes(product: Product) -> list[int]:
    """Writes the picture in each smaller width, and returns those."""
    storage: Storage = product.image.storage
    made = []
    # It was drawn by this shop: nobody else's file is opened here.
    with storage.open(product.image.name) as file, Image.open(file, formats=["WEBP"]) as image:
        for width in (width for width in WIDTHS if width < image.width):
            content = ContentFile(webp(_narrowed(image, width)))
            storage.save(sized(product.image.name, width), content)
            made.append(width)
    return made


def _narrowed(image: Image.Image, width: int) -> Image.Image:
    height = max(round(image.height * width / image.width), 1)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)


def retire(name: str, widths: list[int] | None) -> None:
    """The product has another picture, or is gone: the old one's addresses are on open pages, and
    were sent as lasting. Its files stay until `remove_retired`."""
    ReplacedPicture.objects.update_or_create(
        name=name, defaults={"widths": widths or [], "replaced_at": Now()}
    )


def hold_retired(product: Product) -> None:
    """Keeps the clock from removing, until the end of the transaction, a file that is perhaps
    just being put in place again: the same picture has the same name."""
    names = ReplacedPicture.objects.filter(name__startswith=f"products/{product.slug}.")
    list(names.select_for_update())


def remove_retired() -> int:
    """Removes the files of pictures replaced `REPLACED_PICTURES_DAYS` ago; returns how many
    pictures those were."""
    age = timedelta(days=settings.REPLACED_PICTURES_DAYS)
    due = ReplacedPicture.objects.filter(replaced_at__lte=Now() - age)
    return sum(_remove(pk) for pk in due.values_list("pk", flat=True))


@transaction.atomic
def _remove(pk: int) -> bool:
    # Its lock is held while the files go: see `hold_retired`.
    row = ReplacedPicture.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
    if row is None:
        return False
    if not Product.objects.filter(image=row.name).exists():
        for path in (row.name, *(sized(row.name, width) for width in row.widths)):
            with suppress(OSError):
                default_storage.delete(path)
    row.delete()
    return True
