"""Opens the waiting room of a product, tells it how many units are left, and closes it.

Each web process does so once a second for the rooms that are open, and every few seconds for those
that are due. The clock does so too, in case the web processes do not run."""

import logging
import os
import socket
import time
from datetime import timedelta
from urllib.parse import urljoin

from django.conf import settings
from django.db import Error, connections
from django.urls import reverse
from django.utils import timezone
from redis import RedisError

from allo.live.rooms import store
from allo.live.rooms.answers import Numbers
from allo.live.rooms.page import render
from allo.postgresql import present
from allo.redis_client import redis_client
from allo.web.pressure import pressure
from catalog.models import Product
from inventory.availability import with_stock
from reservations import admission
from reservations.waiting.rules import closure_of

logger = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
TURNS_PER_LOOK = 5
# In Redis: the rooms that are open.
OPEN = "rooms"

WITHDRAWN = "This is not in the shop any more, so nobody can reserve it. What you hold stays yours."
NO_OPENING = "There is no opening any more. The product’s page says whether it can be reserved."
SOLD = "All of them are sold."
ALL_TAKEN = "All of them are sold or held."
OVER = "Those that are still there can be reserved on the product’s page, without waiting."
NOBODY_WAITS = "Nobody has to wait any more. Reserve on the product’s page."
# Closed for one of these reasons, the room keeps its places for the waiting list.
TAKEN = {SOLD, ALL_TAKEN}
# Closed for one of these reasons, it opens again when the product has an opening again.
PASSING = {WITHDRAWN, NO_OPENING}
# After the opening an empty room stays open for a while, and so does one that is opened again: more
# may come.
FIRST_SECONDS = 60


class Keeper:
    """The rooms that this process has seen open: if Redis loses them, they are opened again."""

    def __init__(self) -> None:
        self._rooms: set[int] = set()
        self._turns = 0
        self._process = f"{socket.gethostname()}:{os.getpid()}"

    def run(self) -> None:
        """Goes on for ever, in a thread of its own."""
        while True:
            time.sleep(EVERY_SECONDS)
            try:
                self.turn()
            except (RedisError, Error) as error:
                logger.warning("waiting rooms are not kept: %s", type(error).__name__)
            finally:
                connections.close_all()

    def turn(self) -> None:
        p95_ms, busy = pressure.look()
        self._rooms |= {int(room) for room in redis_client().smembers(OPEN)}
        if self._turns % TURNS_PER_LOOK == 0:
            self._rooms.update(_due())
        self._turns += 1
        for room in sorted(self._rooms):
            if keep(room):
                store.run(store.report(room, self._process, p95_ms=p95_ms, busy=busy))
            else:
                self._rooms.discard(room)


def keep_due() -> None:
    """Opens what is due, and brings what is open up to date. Without Redis there are no rooms."""
    try:
        opened = {int(room) for room in redis_client().smembers(OPEN)}
        for room in sorted(opened | _due()):
            keep(room, renew=True)
    except RedisError as error:
        logger.warning("waiting rooms are not kept: %s", type(error).__name__)


def _due() -> set[int]:
    """The products that may have a room now."""
    now = timezone.now()
    first = now - timedelta(seconds=settings.ROOM_LASTS_SECONDS)
    last = now + timedelta(seconds=settings.ROOM_OPENS_BEFORE_SECONDS)
    opening = Product.objects.filter(opens_at__gt=first, opens_at__lte=last)
    return set(opening.values_list("pk", flat=True))


def keep(room: int, *, renew: bool = False) -> bool:
    """Opens, updates or closes it, as is due; returns whether it is open. With `renew` its page is
    rendered anew. Raises `RedisError`."""
    product = with_stock(Product.objects.filter(pk=room)).select_related("category").first()
    known = store.run(store.numbers(room))
    if why := _why_over(product, known):
        _close(room, known, why, product)
        return False
    assert product, "it would be over"
    if not _is_wanted(product, known):
        return False
    if renew or known is None or known.phase == "closed" or _is_moved(product, known):
        _open(product)
    held = product.total - product.available
    store.run(store.supply(room, free=product.available, held=held))
    return True


def _why_over(product: Product | None, known: Numbers | None) -> str:
    """Why the room is over, in words for those who wait; "" if it may be open."""
    if product is None or not product.is_published:
        return WITHDRAWN
    if product.opens_at is None:
        return NO_OPENING
    if admission.ends(product.opens_at):
        return OVER if product.available else ALL_TAKEN
    if product.opens_at > timezone.now():
        return ""
    if not product.total:
        return SOLD
    return NOBODY_WAITS if known and _is_calm(known) else ""


def _is_calm(known: Numbers) -> bool:
    # A room that was lost or withdrawn is empty until its pages have come back.
    first_are_over = known.now > max(known.opens_at, known.opened_at) + FIRST_SECONDS
    return known.phase == "open" and first_are_over and not known.waiting


def _is_wanted(product: Product, known: Numbers | None) -> bool:
    """A room that closed for good stays closed, unless the opening was moved."""
    if known is None:
        return admission.has_room(product.opens_at)
    return known.phase != "closed" or known.words in PASSING or _is_moved(product, known)


def _is_moved(product: Product, known: Numbers) -> bool:
    assert product.opens_at
    return product.opens_at.timestamp() != known.opens_at


def _open(product: Product) -> None:
    assert product.opens_at
    shop = settings.SITE_URL if settings.LIVE_ORIGIN else ""
    page = render(
        name=product.name,
        home=settings.SITE_URL + product.get_absolute_url(),
        picture=urljoin(shop, product.image.url),
        shop=shop,
    )
    back = settings.SITE_URL + reverse("reservations:enter", args=[product.slug])
    store.run(store.open_room(product.pk, opens_at=product.opens_at, back=back, page=page))
    redis_client().sadd(OPEN, product.pk)


def _close(room: int, known: Numbers | None, why: str, product: Product | None) -> None:
    if known and (known.phase != "closed" or (known.passing and why not in PASSING)):
        if product and why in TAKEN and closure_of(room) is None:
            onward = settings.SITE_URL + reverse("waiting:join", args=[product.slug])
            # That clock orders the waiting list. Nobody joins the list while people wait here.
            call = store.close(room, why, closed_at=present.now(), onward=onward)
        else:
            call = store.close(room, why, passing=why in PASSING)
        store.run(call)
    redis_client().srem(OPEN, room)
