"""The permissions of each staff role: groups with these names and exactly these permissions.

`migrate` creates them and `manage.py prepare` updates them, so a role is changed only here. A
permission that does not exist stops both, so that no role silently lacks one.
"""

from typing import Any

from django.apps import apps as current_apps
from django.contrib.auth.management import create_permissions

VIEW = (
    "accounts.view_account",
    "accounts.view_deletedaccount",
    "catalog.view_category",
    "catalog.view_product",
    "checkout.view_charge",
    "checkout.view_contact",
    "checkout.view_order",
    "checkout.view_orderevent",
    "checkout.view_orderline",
    "checkout.view_payment",
    "checkout.view_refund",
    "inventory.view_inventory",
    "inventory.view_lowstock",
    "inventory.view_stockimport",
    "inventory.view_stockimportrow",
    "inventory.view_stockmovement",
    "inventory.view_warehouse",
    "outbox.view_delivery",
    "outbox.view_event",
    "outbox.view_message",
    "outbox.view_webhook",
    "reservations.view_apitoken",
    "reservations.view_auditrun",
    "reservations.view_idempotencykey",
    "reservations.view_repair",
    "reservations.view_reservation",
    "reservations.view_staffaction",
    "reservations.view_sweep",
    "reservations.view_waitingentry",
    "site.view_page",
)
STOCK = (
    "inventory.receive_stock",
    "inventory.adjust_stock",
    "inventory.transfer_stock",
    "inventory.write_off_stock",
    "inventory.set_threshold",
    "inventory.import_stock",
)
HOLDS = (
    "reservations.release_reservation",
    "reservations.extend_reservation",
    "reservations.lift_cooldown",
)
LISTS = ("reservations.close_list",)
CATALOGUE = (
    "catalog.add_category",
    "catalog.change_category",
    "catalog.delete_category",
    "catalog.add_product",
    "catalog.change_product",
    "catalog.delete_product",
    "catalog.publish_product",
)
PAGES = ("site.change_page",)
MAIL = ("outbox.retry_message",)
AGAIN = ("outbox.send_again",)
# What another system hears of everything is for those who decide which systems there are.
WEBHOOKS = ("outbox.add_webhook", "outbox.change_webhook")
# Money back, also by ending the order.
MONEY_BACK = ("checkout.refund_order", "checkout.cancel_order")
# What somebody sees who packs: orders and where their stock is, and no API tokens or audits.
PARCELS = (
    "catalog.view_category",
    "catalog.view_product",
    "checkout.view_order",
    "checkout.view_orderevent",
    "checkout.view_orderline",
    "inventory.view_inventory",
    "inventory.view_lowstock",
    "inventory.view_stockmovement",
    "inventory.view_warehouse",
)
FULFIL = ("checkout.fulfil_order",)
# Tokens are never edited: the permission to change one is the permission to revoke it.
TOKENS = (
    "reservations.add_apitoken",
    "reservations.change_apitoken",
)
BOOKS = ("reservations.run_audit", "axes.view_accessattempt", "axes.view_accesslog")

ROLES = {
    "Viewer": VIEW,
    "Stock keeper": VIEW + STOCK,
    "Packer": PARCELS + FULFIL,
    "Support": VIEW + HOLDS + LISTS + MAIL + AGAIN + MONEY_BACK,
    "Manager": VIEW
    + STOCK
    + HOLDS
    + LISTS
    + MAIL
    + AGAIN
    + WEBHOOKS
    + MONEY_BACK
    + FULFIL
    + CATALOGUE
    + PAGES
    + TOKENS
    + BOOKS,
}


class UnknownPermission(Exception):
    """A role names a permission that no model declares."""


def apply(apps: Any = current_apps) -> None:
    """Gives each role exactly its permissions. `apps` is a migration's registry or the current one.
    Idempotent."""
    for label in {name.partition(".")[0] for role in ROLES.values() for name in role}:
        _declare(apps.get_app_config(label), apps)
    known = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in apps.get_model("auth", "Permission").objects.select_related(
            "content_type"
        )
    }
    for role, names in ROLES.items():
        if missing := set(names) - known.keys():
            raise UnknownPermission(f"{role}: {', '.join(sorted(missing))}")
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=role)
        group.permissions.set(known[name] for name in names)


def _declare(app: Any, apps: Any) -> None:
    """Django creates permissions only after all migrations, but roles need them in this one."""
    module = getattr(app, "models_module", None)  # a migration's apps have none
    app.models_module = module or True
    create_permissions(app, apps=apps, verbosity=0)
    app.models_module = module
