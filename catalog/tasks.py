"""Celery tasks for pictures."""

import errno
import logging
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from celery import shared_task

from catalog import pictures
from catalog.models import Pictured, Product, ProductPicture

logger = logging.getLogger(__name__)

# Less than the schedule's period, so that runs do not overlap; the next one continues.
SECONDS = 25


@shared_task
def make_sizes() -> None:
    """Makes missing sizes: of new pictures, of the seed, and after failed runs. Pages use them once
    all sizes of a picture exist."""
    end = time.monotonic() + SECONDS
    with ThreadPoolExecutor(1, initializer=_after_all_others) as thread:
        for picture in _without_sizes():
            widths = thread.submit(_sizes_of, picture).result()
            if widths is not None:
                # Only if the picture has not been replaced meanwhile.
                of = type(picture)._default_manager.filter(pk=picture.pk, image=picture.image.name)
                of.update(widths=widths)
            if time.monotonic() > end:
                break


def _after_all_others() -> None:
    """Gives the thread only the time that shoppers and the clock leave; Linux can do this for a
    thread."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def _without_sizes() -> Iterator[Pictured]:
    """In the order in which a visitor sees them: the grid before the further pictures."""
    yield from Product.objects.filter(widths__isnull=True).order_by("position", "pk")
    further = ProductPicture.objects.filter(widths__isnull=True)
    yield from further.order_by("product__position", "position", "pk")


def _sizes_of(picture: Pictured) -> list[int] | None:
    """An empty list of a broken or missing picture; None if the next run has to try again."""
    try:
        return pictures.make_sizes(picture)
    except (OSError, SyntaxError, ValueError) as error:
        logger.exception("no sizes of the picture %s", picture.image.name)
        return [] if _is_lost(error) else None


def _is_lost(error: Exception) -> bool:
    """Whether the file is broken or missing. Otherwise the system could not read it, or its whole
    folder is away. Errors of Pillow and of a bucket have no number of the system's."""
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        return Path(error.filename).parent.is_dir()  # type: ignore[attr-defined]
    return number is None


@shared_task
def remove_replaced_pictures() -> None:
    pictures.remove_retired()
