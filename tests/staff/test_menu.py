"""The menu of the admin: by work, as far as one's role may see it, machinery folded away."""

import re

import pytest
from django.contrib import admin
from django.test import Client

from allo.staff.menu import PAGES, RECORDS, SECTIONS, Section
from tests.staff.people import NOBODY, signed_in
from tests.stock import stocked

pytestmark = pytest.mark.django_db


def menu(client: Client, address: str = "/admin/") -> dict[str, Section]:
    return {section.name: section for section in client.get(address).context["sections"]}


def test_each_role_sees_its_work_and_nobody_else_sees_any() -> None:
    packer = menu(signed_in("Packer"))
    assert list(packer) == ["Orders", "Stock", RECORDS]
    assert [link.name for link in packer["Orders"].links] == ["Orders", "Sales"]
    assert menu(signed_in(NOBODY)) == {}
    manager = menu(signed_in("Manager"))
    assert list(manager) == [*SECTIONS, RECORDS]
    assert [link.name for link in manager["Orders"].links][-2:] == ["Sales", "Trends"]
    assert [section.folds for section in manager.values()] == [False] * 4 + [True]


def test_every_list_is_in_the_menu_once(admin_client, admin_user, rf) -> None:
    labels = [label for section in SECTIONS.values() for label in section]
    assert set(labels) <= {model._meta.label for model in admin.site._registry}
    request = rf.get("/admin/")
    request.user = admin_user
    lists = [each for each in admin.site._registry.values() if each.has_module_permission(request)]
    links = [link.address for section in menu(admin_client).values() for link in section.links]
    assert len(set(links)) == len(links) == len(lists) + len(PAGES)


def test_the_plurals_that_head_the_lists_are_words() -> None:
    names = [str(model._meta.verbose_name_plural) for model in admin.site._registry]
    assert [name for name in names if re.search(r"[^aeiou]ys$", name)] == []


@pytest.mark.parametrize(
    ("address", "name", "current"),
    [
        ("/admin/checkout/order/", "Orders", "page"),
        ("/admin/checkout/order/sales/", "Sales", "page"),
        ("/admin/checkout/orderevent/", "Order events", "page"),
        ("/admin/inventory/inventory/{row}/change/", "Inventory", "true"),
    ],
)
def test_the_menu_says_where_one_is(admin_client, address, name, current) -> None:
    page = admin_client.get(address.format(row=stocked(1).pk))
    sections = page.context["sections"]
    marked = [(link.name, link.current) for each in sections for link in each.links if link.current]
    assert marked == [(name, current)]
    folds = '<details class="staff-records" open>' if name == "Order events" else 'staff-records" >'
    assert page.content.decode().count(folds) == 2
