"""The roles that may open each page of staff, and may act: a refused action changes nothing."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from allo.staff import roles
from catalog.models import Product
from reservations.models import ListClosure, Reservation, StaffAction
from tests.joining import waiting
from tests.shopping import holding
from tests.staff.forms import sent
from tests.staff.people import EVERYONE, NOBODY, signed_in
from tests.stock import stocked

pytestmark = pytest.mark.django_db

SUPPORT, MANAGER = {"Support", "Manager"}, {"Manager"}
STAFF = set(roles.ROLES)
VIEWERS = STAFF - {"Packer"}
RESERVATION = "/admin/reservations/reservation/"
PRODUCT = "/admin/catalog/product/"
LISTS = "/admin/reservations/listclosure/"


class Floor:
    """The objects to act on, and whether they were changed."""

    def __init__(self, client) -> None:
        self.reservation = holding(client, stocked(5))
        self.product = Product.objects.get()
        self.entry = waiting(stocked(0, product="reef"))

    def withdrawn(self) -> Product:
        Product.objects.filter(pk=self.product.pk).update(published_at=None)
        return self.product

    def state(self) -> tuple[object, ...]:
        reservation = Reservation.objects.get(pk=self.reservation.pk)
        return (
            reservation.status,
            reservation.expires_at,
            StaffAction.objects.count(),
            ListClosure.objects.count(),
            *Product.objects.values_list("name", "published_at", "price_paise"),
        )


@pytest.fixture(scope="module")
def floor(module_db) -> Floor:
    return Floor(Client())


def edited(page: str) -> tuple[str, dict[str, Any]]:
    """The form as somebody who may see it has it open, with a new name."""
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    return page, sent(boss.get(page), "product_form", name="Renamed")


# The data to post, the roles that may post it, and their response.
ACTIONS = {
    "release": (lambda f: (f"{RESERVATION}release/", {"id": f.reservation.pk}), SUPPORT),
    "extend": (
        lambda f: (f"{RESERVATION}extend/", {"id": f.reservation.pk, "minutes": 5}),
        SUPPORT,
    ),
    "publish": (lambda f: (f"{PRODUCT}publish/", {"id": f.withdrawn().pk}), MANAGER),
    "unpublish": (lambda f: (f"{PRODUCT}unpublish/", {"id": f.product.pk}), MANAGER),
    "close a list": (lambda f: (f"{LISTS}close/", {"id": f.entry.product_id}), SUPPORT),
    "edit": (lambda f: edited(f"{PRODUCT}{f.product.pk}/change/"), MANAGER),
}
DOORS = {
    "the dashboard": ("/admin/", STAFF | {NOBODY}),
    "the console": (RESERVATION, VIEWERS),
    "one reservation": (lambda f: f"{RESERVATION}{f.reservation.pk}/change/", VIEWERS),
    "what staff did": ("/admin/reservations/staffaction/", VIEWERS),
    "the release question": (lambda f: f"{RESERVATION}release/?id={f.reservation.pk}", SUPPORT),
    "the extend question": (lambda f: f"{RESERVATION}extend/?id={f.reservation.pk}", SUPPORT),
    "reservations as a file": (f"{RESERVATION}export/csv/", VIEWERS),
    "products": (PRODUCT, STAFF),
    "a new product": (f"{PRODUCT}add/", MANAGER),
    "deleting a product": (lambda f: f"{PRODUCT}{f.product.pk}/delete/", MANAGER),
    "the publish question": (lambda f: f"{PRODUCT}publish/?id={f.product.pk}", MANAGER),
    "those who wait": ("/admin/reservations/waitingentry/", VIEWERS),
    "one who waits": (lambda f: f"/admin/reservations/waitingentry/{f.entry.pk}/change/", VIEWERS),
    "waiting lists": (LISTS, VIEWERS),
    "the close question": (lambda f: f"{LISTS}close/?id={f.entry.product_id}", SUPPORT),
    "the reopen question": (lambda f: f"{LISTS}reopen/?id={f.entry.product_id}", SUPPORT),
    "audit runs": ("/admin/reservations/auditrun/", VIEWERS),
    "sweeps": ("/admin/reservations/sweep/", VIEWERS),
    "mail": ("/admin/outbox/message/", VIEWERS),
    "webhooks": ("/admin/outbox/webhook/", VIEWERS),
    "deliveries": ("/admin/outbox/delivery/", VIEWERS),
    "events of webhooks": ("/admin/outbox/event/", VIEWERS),
    "who tried to sign in": ("/admin/axes/accessattempt/", MANAGER),
    "people": ("/admin/auth/user/", set()),
    "roles": ("/admin/auth/group/", set()),
}


@pytest.mark.parametrize("role", EVERYONE)
@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_needs_its_permission(floor, role, action) -> None:
    ask, allowed = ACTIONS[action]
    address, form = ask(floor)
    before = floor.state()
    response = signed_in(role).post(address, {**form, "reason": "asked by phone"})
    if role in allowed:
        assert response.status_code in (302, 303), response.content
        assert floor.state() != before
    else:
        assert response.status_code == 403
        assert floor.state() == before


@pytest.mark.parametrize("role", EVERYONE)
@pytest.mark.parametrize("door", DOORS)
def test_each_page_needs_its_permission(floor, role, door) -> None:
    address, allowed = DOORS[door]
    answer = signed_in(role).get(address(floor) if callable(address) else str(address))
    assert answer.status_code == (200 if role in allowed else 403)
