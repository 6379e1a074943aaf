"""The signed link in a mail, which opens an order's page without an account."""

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from checkout.models import Order

# The number alone opens nothing, as it is read out and printed on parcels.
_signer = Signer(salt="checkout.order")


def link_to(order: Order, page: str = "order") -> str:
    """An absolute address, for a mail."""
    return with_key(f"{settings.SITE_URL}{path_to(order, page)}", order)


def with_key(address: str, order: Order) -> str:
    """An address that an earlier version stored may have the key already."""
    return address if "?" in address else f"{address}?key={key_of(order)}"


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
