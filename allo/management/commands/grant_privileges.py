from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection
from psycopg import sql

GRANTS = """
    GRANT USAGE ON SCHEMA public TO {role};
    REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role};
"""
# What the shop's own role never does, and is refused: to change what was recorded, to delete what
# has a history, to write what only migrations write. Any change of the schema, and TRUNCATE, are
# refused to it as well.
REFUSED = {
    "UPDATE, DELETE": (
        "inventory_stockmovement",
        "reservations_repair",
        "reservations_staffaction",
    ),
    # Of the admin's log a trigger refuses DELETE, of each row there is.
    "UPDATE": (
        "django_admin_log",
        "reservations_auditrun",
        "reservations_idempotencykey",
        "reservations_sweep",
        "auth_group_permissions",
        "auth_user_groups",
        "auth_user_user_permissions",
    ),
    "DELETE": (
        "checkout_contact",
        "inventory_inventory",
        "reservations_apitoken",
        "reservations_reservation",
    ),
    "INSERT, UPDATE": ("axes_accessattemptexpiration", "axes_accessfailurelog"),
    "INSERT, UPDATE, DELETE": ("auth_permission", "django_content_type", "django_migrations"),
}

OWNS = "SELECT rolsuper OR %s = current_user FROM pg_roles WHERE rolname = %s"


class Command(BaseCommand):
    help = "Gives the role of DATABASE_URL just the privileges that the shop needs."

    def handle(self, *args: Any, **options: Any) -> None:
        role = settings.SHOP_ROLE
        with connection.cursor() as cursor:
            cursor.execute(OWNS, [role, role])
            if cursor.fetchone() != (False,):
                self.stdout.write(f"{role} owns the schema: nothing to grant")
                return
            cursor.execute(_statements(sql.Identifier(role)))
        self.stdout.write(f"{role} has the shop's privileges")


def _statements(role: sql.Identifier) -> sql.Composed:
    """As one, so that nobody sees the role with more than it is to have."""
    refusals = [
        sql.SQL("REVOKE {what} ON {tables} FROM {role};").format(
            what=sql.SQL(what), tables=sql.SQL(", ").join(map(sql.Identifier, tables)), role=role
        )
        for what, tables in REFUSED.items()
    ]
    return sql.SQL(GRANTS).format(role=role) + sql.Composed(refusals)
