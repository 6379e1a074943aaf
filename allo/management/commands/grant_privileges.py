from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection
from psycopg import sql

# What the shop's own role may do. What is not here, the database refuses to it: any change of
# the schema, TRUNCATE, and UPDATE or DELETE of the ledger or of a reservation's history.
GRANTS = """
    GRANT USAGE ON SCHEMA public TO {role};
    REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role};
    REVOKE UPDATE, DELETE ON inventory_stockmovement, reservations_repair FROM {role};
    REVOKE UPDATE, DELETE ON reservations_staffaction FROM {role};
    REVOKE DELETE ON reservations_reservation, inventory_inventory FROM {role};
    REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role};
"""

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
            cursor.execute(sql.SQL(GRANTS).format(role=sql.Identifier(role)))
        self.stdout.write(f"{role} has the shop's privileges")
