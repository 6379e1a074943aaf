"""The signed link in a mail, which opens an order's page without an account."""

from allo.web.mail_links import Links
from checkout.models import Order

# The number alone opens nothing, as it is read out and printed on parcels.
_links = Links[Order](salt="checkout.order", pages="orders", page="order", by="number")
link_to, path_to, key_of, opens = _links.link_to, _links.path_to, _links.key_of, _links.opens


def with_key(address: str, order: Order) -> str:
    """An address that an earlier version stored may have the key already."""
    return address if "?" in address else f"{address}?key={key_of(order)}"
