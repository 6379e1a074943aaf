"""The signed link in a mail, which opens an order's page without an account."""

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from checkout.models import Order

# The number alone opens nothing, as it is read out and printed on parcels.
_signer = Signer(salt="checkout.order")


def link_to(order: Order, page: str = "order") -> str:
    """An absolute address, for a mail."""
    return f"{settings.SITE_URL}{path_to(order, page)}?key={key_of(order)}"


def path_to(order: Order, page: str = "order") -> str:
    return reverse(f"orders:{page}", args=[order.number])


def key_of(order: Order) -> str:
    return _signer.signature(str(order.pk))


def opens(order: Order, key: str) -> bool:
    try:
        _signer.unsign(f"{order.pk}:{key}")
    except BadSignature:
        return False
    return True
