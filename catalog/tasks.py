"""Celery tasks for pictures."""

import logging

from celery import shared_task

from catalog import pictures
from catalog.models import Product

logger = logging.getLogger(__name__)

# A run takes about a second, to leave the machine to shoppers; the next one continues.
AT_ONCE = 16


@shared_task
def make_sizes() -> None:
    """Makes missing sizes: of new pictures, of the seed, and after failed runs. Pages use them once
    all sizes of a picture exist."""
    for product in Product.objects.filter(widths__isnull=True).order_by("-pk")[:AT_ONCE]:
        try:
            widths = pictures.make_sizes(product)
        except (OSError, SyntaxError, ValueError):
            logger.exception("no sizes of the picture of product %d", product.pk)
            widths = []
        # Only if the picture has not been replaced meanwhile.
        Product.objects.filter(pk=product.pk, image=product.image.name).update(widths=widths)


@shared_task
def remove_replaced_pictures() -> None:
    pictures.remove_retired()
