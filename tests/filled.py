"""`python -m tests.filled`: a delivery, since the tests of a run share a shop and its first
runs are small; and its pictures in every width, which its worker would make for two minutes."""

import os
from functools import cache

import django

EACH = 4


def deliver() -> None:
    from inventory.adjustments import Adjustment  # noqa: PLC0415 - needs the settings
    from inventory.models import Inventory, StockMovement  # noqa: PLC0415
    from inventory.services import apply  # noqa: PLC0415

    rows = Inventory.objects.filter(total_units__gt=1)
    received = StockMovement.Reason.RECEIVED
    apply(adjustments=[Adjustment(row.pk, EACH, received) for row in rows])


def size_pictures() -> None:
    """Each smaller width is of one colour. A browser decodes it in no time, the picture itself in
    40 ms."""
    from django.core.files.base import ContentFile  # noqa: PLC0415 - needs the settings
    from django.core.files.storage import default_storage  # noqa: PLC0415

    from catalog.models import Product, ProductPicture, sized  # noqa: PLC0415
    from catalog.pictures import WIDTHS  # noqa: PLC0415

    for model in (Product, ProductPicture):
        pictures = list(model.objects.all())
        for it in pictures:
            it.widths = [width for width in WIDTHS if width < it.width]
            for width in it.widths:
                content = plain(width, it.height * width // it.width)
                default_storage.save(sized(it.image.name, width), ContentFile(content))
        model.objects.bulk_update(pictures, ["widths"])


@cache
def plain(width: int, height: int) -> bytes:
    from PIL import Image  # noqa: PLC0415

    from catalog.redrawing import webp  # noqa: PLC0415

    return webp(Image.new("RGB", (width, height), "#789"))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "allo.settings")
    django.setup()
    deliver()
    size_pictures()
