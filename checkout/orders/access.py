"""Access to an order: for its account, the browser that bought it, and one that opened a signed
link to it."""

from django.http import Http404

from allo.web.mail_links import remember
from allo.web.parts import Request
from checkout.models import Order
from checkout.orders import links, reading
from checkout.orders.numbers import as_written
from reservations.models import OF_LIST
from reservations.shop.holders import holders_of

# The session key of the orders that this browser opened by signed links.
OPENED = "orders_opened"


def order_of(request: Request, number: str) -> Order:
    """The shopper's own order. Raises `Http404` for others', as for one that does not exist."""
    found = _named(number)
    if found is None or not _may_see(request, found):
        raise Http404("no such order")
    return found


def let_in(request: Request, number: str, key: str) -> Order:
    """The order of a signed link in a mail; remembers that this browser opened it. Raises
    `Http404`."""
    found = _named(number)
    if found is None or not links.opens(found, key):
        raise Http404("no such order")
    remember(request, OPENED, found.pk)
    return found


def _may_see(request: Request, order: Order) -> bool:
    account = request.user.pk if request.user.is_authenticated else None
    mine = order.holder in holders_of(request) or (account and order.account_id == account)
    return (
        bool(mine) or str(order.pk) in request.session.get(OPENED, []) or _has_offer(request, order)
    )


def _has_offer(request: Request, order: Order) -> bool:
    """Whether an offer of the waiting list to this shopper is among what it orders, or ordered
    until it ended."""
    offers = [name for name in holders_of(request) if name.startswith(OF_LIST)]
    lines = order.order_lines.filter(reservation__holder__in=offers)
    return bool(offers) and lines.exists()


def _named(number: str) -> Order | None:
    return reading.numbered.first(as_written(number))
