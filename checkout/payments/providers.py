"""The providers by their names, as they are stored with each payment."""

from functools import cache
from zoneinfo import ZoneInfo

from django.conf import settings

from checkout.payments.base import Provider
from checkout.payments.none import PaidOnDelivery


@cache
def provider(name: str) -> Provider:
    """Raises LookupError for an unknown name."""
    if name == "none":
        return PaidOnDelivery()
    # Imported when needed: Stripe's SDK takes 30 MB and a quarter of a second.
    from checkout.payments.stripe import Stripe  # noqa: PLC0415

    zone = ZoneInfo(settings.TIME_ZONE)
    match name:
        case "stripe":
            return Stripe(
                key=settings.STRIPE_SECRET_KEY,
                hook_secret=settings.STRIPE_WEBHOOK_SECRET,
                zone=zone,
            )
        case "bank":
            return Stripe(
                name="bank",
                key=settings.BANK_SECRET,
                hook_secret=settings.BANK_WEBHOOK_SECRET,
                api=settings.BANK_URL,
                origin=settings.BANK_URL,
                proxies=False,
                plain_method="pays",
                zone=zone,
            )
    raise LookupError(f"there is no provider {name!r}")
