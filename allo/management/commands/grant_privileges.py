from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection
from psycopg import sql

from allo.postgresql.triggers import always_refused

GRANTS = """
    GRANT USAGE ON SCHEMA public TO {role};
    REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role};
"""
# pgtrigger's own function, which each of its migrations makes anew, lets any role pass over the
# triggers that it names in a parameter. With this one the shop's role cannot.
TRIGGERS_HOLD = """
    CREATE OR REPLACE FUNCTION public._pgtrigger_should_ignore(trigger_name NAME)
    RETURNS boolean LANGUAGE sql STABLE AS $$
        SELECT current_user <> {role} AND trigger_name::text = ANY (
            coalesce(nullif(current_setting('pgtrigger.ignore', true), ''), '{{}}')::text[])
    $$;
"""
# Privileges that the shop's role does not get either, besides those that its models' triggers make
# useless: to change records, to delete rows with a history, to write what only migrations write. It
# cannot change the schema or TRUNCATE.
REFUSED = {
    # A trigger refuses DELETE on the admin's log, for each row.
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
        "inventory_inventory",
        "reservations_apitoken",
    ),
    "INSERT, UPDATE": ("axes_accessattemptexpiration", "axes_accessfailurelog"),
    "INSERT, UPDATE, DELETE": ("auth_permission", "django_content_type", "django_migrations"),
}

OWNS = "SELECT rolsuper OR %s = current_user FROM pg_roles WHERE rolname = %s"


class Command(BaseCommand):
    help = "Gives the role of DATABASE_URL exactly the privileges that the shop needs."

    def handle(self, *args: Any, **options: Any) -> None:
        role = settings.SHOP_ROLE
        with connection.cursor() as cursor:
            cursor.execute(OWNS, [role, role])
            if cursor.fetchone() != (False,):
                self.stdout.write(f"{role} owns the schema: nothing to grant")
                return
            cursor.execute(_statements(sql.Identifier(role)))
            cursor.execute(sql.SQL(TRIGGERS_HOLD).format(role=sql.Literal(role)))
        self.stdout.write(f"{role} has the shop's privileges")


def _statements(role: sql.Identifier) -> sql.Composed:
    """In one transaction, so that the role never has more than its final privileges."""
    refusals = [
        sql.SQL("REVOKE {what} ON {tables} FROM {role};").format(
            what=sql.SQL(what), tables=sql.SQL(", ").join(map(sql.Identifier, tables)), role=role
        )
        for what, tables in (*_refused_by_triggers(), *REFUSED.items())
    ]
    return sql.SQL(GRANTS).format(role=role) + sql.Composed(refusals)


def _refused_by_triggers() -> Iterator[tuple[str, tuple[str, ...]]]:
    for model in apps.get_models():
        if refused := always_refused(model):
            yield ", ".join(refused), (model._meta.db_table,)
