"""What is done to pictures outside of requests."""

import logging

from celery import shared_task

from catalog import pictures
from catalog.models import Product

logger = logging.getLogger(__name__)

# A second's work, as shoppers come first; the next run goes on.
AT_ONCE = 16


@shared_task
def make_sizes() -> None:
    """Makes the sizes that are missing: of new pictures, of the seed, of what an earlier run that
    died left undone. The browser is told of them when all of one picture are there."""
    for product in Product.objects.filter(widths__isnull=True).order_by("-pk")[:AT_ONCE]:
        try:
            widths = pictures.make_sizes(product)
        except (OSError, SyntaxError, ValueError):
            logger.exception("no sizes of the picture of product %d", product.pk)
            widths = []
        # Unless another picture was put in its place meanwhile.
        Product.objects.filter(pk=product.pk, image=product.image.name).update(widths=widths)


@shared_task
def remove_replaced_pictures() -> None:
    pictures.remove_retired()
