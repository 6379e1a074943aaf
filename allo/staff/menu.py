"""The menu of the admin: its pages by the work that is done there, instead of by app."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

# The sections in their order. What only records or serves the work is in the last, which folds
# away; a model that is listed nowhere is there as well.
SECTIONS = {
    "Orders": (
        "checkout.Order",
        "reservations.Reservation",
        "catalog.Drop",
        "reservations.ListClosure",
        "reservations.WaitingEntry",
        "checkout.Payment",
        "checkout.Charge",
        "checkout.Refund",
    ),
    "Stock": (
        "catalog.Product",
        "catalog.Category",
        "inventory.Inventory",
        "inventory.StockMovement",
        "inventory.StockImport",
        "inventory.Warehouse",
    ),
    "People": (
        "accounts.Account",
        "checkout.Contact",
        "reservations.CooldownLift",
        "auth.User",
        "auth.Group",
    ),
    "Settings": ("site.Page", "reservations.ApiToken", "outbox.Webhook"),
}
RECORDS = "Records"
# Pages that are no list of a model: section, name, view, and the permission for it.
PAGES = (
    ("Orders", "Sales", "admin:checkout_order_sales", "checkout.view_order"),
    ("Orders", "Trends", "admin:reservations_reservation_trends", "reservations.view_reservation"),
)


@dataclass(frozen=True, slots=True)
class Link:
    name: str
    address: str
    current: str  # of `aria-current`: "page", "true" for a page below it, or ""


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    links: list[Link]
    folds: bool

    @property
    def is_current(self) -> bool:
        return any(link.current for link in self.links)


def sections(apps: list[Any], request: HttpRequest) -> list[Section]:
    """What this user may see, by section."""
    pages = list(_pages(apps, request))
    here = _nearest({address for _, _, address in pages}, request.path)
    found: dict[str, list[Link]] = {name: [] for name in (*SECTIONS, RECORDS)}
    for section, name, address in pages:
        current = ("page" if address == request.path else "true") if address == here else ""
        found[section].append(Link(name, address, current))
    return [Section(name, links, name == RECORDS) for name, links in found.items() if links]


def _pages(apps: list[Any], request: HttpRequest) -> Iterator[tuple[str, str, str]]:
    """Section, name and address of each."""
    models = {
        f"{app['app_label']}.{model['object_name']}": model
        for app in apps
        for model in app["models"]
        if model["admin_url"]
    }
    for section, labels in SECTIONS.items():
        for label in labels:
            if model := models.pop(label, None):
                yield section, _name(model), model["admin_url"]
    for section, name, view, permission in PAGES:
        if request.user.has_perm(permission):
            yield section, name, reverse(view)
    for model in sorted(models.values(), key=_name):
        yield RECORDS, _name(model), model["admin_url"]


def _name(model: dict[str, Any]) -> str:
    name = str(model["name"])
    return name[:1].upper() + name[1:]


def _nearest(addresses: Iterable[str], path: str) -> str:
    """The address that the page at the path is at or below, or nothing."""
    return max((address for address in addresses if path.startswith(address)), key=len, default="")
