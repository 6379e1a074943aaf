"""Pictures that staff upload, and their files.

Each is re-encoded as WebP, so that nothing but its pixels is kept: no metadata (such as where a
photograph was taken), and no data appended to the file.
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
from allo.web.uploads import MOST_BYTES, MOST_MEGABYTES
from catalog.models import Pictured, Product, ProductPicture, ReplacedPicture, sized
from catalog.redrawing import webp

# From a thumbnail to half of a wide screen, so that no screen loads much more than it shows.
WIDTHS = (200, 400, 640, 960, 1280)

logger = logging.getLogger(__name__)


class PictureError(Exception):
    """Why a file is refused as a picture, in words for the person who uploaded it."""


@dataclass(frozen=True, slots=True)
class Picture:
    content: bytes
    dominant_hex: str


def limits(size: int) -> Limits:
    """For at most 5 kB a second and 100 MB, with the interpreter; one megabyte may contain as many
    pixels as are allowed at all."""
    share = size / MEGABYTE
    return Limits(
        cpu_seconds=min(0.8 + 20 * share, 20),
        memory=int(min(72 + 1000 * share, 640) * MEGABYTE),
        wall_seconds=45,
    )


def redraw(file: IO[bytes], size: int) -> Picture:
    """The picture, re-encoded by `catalog.redrawing`. Raises `PictureError`."""
    if size > MOST_BYTES:
        raise PictureError(f"The file is larger than {MOST_MEGABYTES} MB.")
    try:
        with confined.running("catalog.redrawing", file, limits(size)) as output:
            words, content = json.loads(output.readline() or b"{}"), output.read()
    except TooMuch as error:
        words = f"The picture needs more {error.of} to open than is allowed for its size."
        raise PictureError(words) from error
    except Failed as error:
        logger.warning("a picture could not be re-encoded: %s", error)
        raise PictureError("The picture is broken.") from error
    if "refused" in words:
        raise PictureError(words["refused"])
    return Picture(content, words["dominant_hex"])


def make_sizes(picture: Pictured) -> list[int]:
    """Writes the picture in each smaller width, and returns these widths."""
    storage: Storage = picture.image.storage
    made = []
    # Safe to open here: the shop itself encoded this file.
    with storage.open(picture.image.name) as file, Image.open(file, formats=["WEBP"]) as image:
        for width in (width for width in WIDTHS if width < image.width):
            content = ContentFile(webp(_narrowed(image, width)))
            storage.save(sized(picture.image.name, width), content)
            made.append(width)
    return made


def _narrowed(image: Image.Image, width: int) -> Image.Image:
    height = max(round(image.height * width / image.width), 1)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)


def retire(name: str, widths: list[int] | None) -> None:
    """Marks a picture that no product has any more. Open pages refer to it, and caches may keep its
    address, so its files stay until `remove_retired`."""
    ReplacedPicture.objects.update_or_create(
        name=name, defaults={"widths": widths or [], "replaced_at": Now()}
    )


def hold_retired(product: Product) -> None:
    """Locks the retired pictures of the product until the end of the transaction: if an old picture
    is uploaded again it has the same name, and the clock must not remove its file."""
    names = ReplacedPicture.objects.filter(name__startswith=f"products/{product.slug}.")
    list(names.select_for_update())


def remove_retired() -> int:
    """Removes the files of pictures replaced `REPLACED_PICTURES_DAYS` ago; returns the number of
    pictures."""
    age = timedelta(days=settings.REPLACED_PICTURES_DAYS)
    due = ReplacedPicture.objects.filter(replaced_at__lte=Now() - age)
    return sum(_remove(pk) for pk in due.values_list("pk", flat=True))


@transaction.atomic
def _remove(pk: int) -> bool:
    # The row stays locked while the files are deleted: see `hold_retired`.
    row = ReplacedPicture.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
    if row is None:
        return False
    if not any(has.objects.filter(image=row.name).exists() for has in (Product, ProductPicture)):
        # All widths: they may have been made after it was replaced.
        for path in (row.name, *(sized(row.name, width) for width in {*WIDTHS, *row.widths})):
            with suppress(OSError):
                default_storage.delete(path)
    row.delete()
    return True
