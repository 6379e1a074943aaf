"""`python -m tests.filled`: a delivery, since the tests of a run share a shop and its first
runs are small; and no sizes of its pictures, which its worker would make for two minutes."""

import os

import django

EACH = 4


def deliver() -> None:
    from inventory.adjustments import Adjustment  # noqa: PLC0415 - needs the settings
    from inventory.models import Inventory, StockMovement  # noqa: PLC0415
    from inventory.services import apply  # noqa: PLC0415

    rows = Inventory.objects.filter(total_units__gt=1)
    received = StockMovement.Reason.RECEIVED
    apply(adjustments=[Adjustment(row.pk, EACH, received) for row in rows])


def leave_pictures_alone() -> None:
    from catalog.models import Product, ProductPicture  # noqa: PLC0415 - needs the settings

    Product.objects.update(widths=[])
    ProductPicture.objects.update(widths=[])


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "allo.settings")
    django.setup()
    deliver()
    leave_pictures_alone()
