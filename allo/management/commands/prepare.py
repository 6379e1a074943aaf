import hashlib
import secrets
from io import StringIO
from itertools import chain, count
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from allo.embedded.state import write_private
from allo.metrics import collecting
from allo.postgresql import migrating, timeouts
from allo.staff import roles
from allo.web import static_files

# Files of packages that no page uses: compressing them would take half of a first start.
NOT_COLLECTED = [
    "htmax-*", "htmx-4*", "htmx-2.js", "ext", "jquery.js", "select2.full.js", "xregexp.js",
]  # fmt: skip


class Command(BaseCommand):
    help = "Brings tables, catalogue, static files and the admin login up to date."
    # `make check` runs the checks; here they would take a third of a warm start.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--database-only",
            action="store_true",
            help="tables, privileges and timeouts: no catalogue, no static files, no login",
        )

    def handle(self, *, database_only: bool = False, **options: Any) -> None:
        self._migrate()
        call_command("grant_privileges", stdout=StringIO())
        self._keep_timeouts()
        if database_only:
            return
        call_command("seed_catalogue", stdout=self.stdout)
        self._collect_static()
        self._ensure_admin()
        collecting.forget_other_versions()

    def _migrate(self) -> None:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            self.stdout.write("Database: migrating")
            with migrating.collecting_less():
                call_command("migrate", interactive=False, verbosity=0)
        # Permissions that a later version adds to the roles.
        with transaction.atomic():
            roles.apply()

    def _keep_timeouts(self) -> None:
        """Connects as the shop's role: the defaults are its own, and it may set them."""
        shop = connection.copy()
        shop.settings_dict.update(settings.SHOP_DATABASE, ENGINE=connection.settings_dict["ENGINE"])
        try:
            timeouts.keep_with_role(shop)
        finally:
            shop.close()

    def _collect_static(self) -> None:
        stamp = Path(settings.STATIC_ROOT) / ".collected"
        fingerprint = _static_fingerprint()
        if not stamp.exists() or stamp.read_text() != fingerprint:
            self.stdout.write("Static files: collecting and compressing")
            call_command(
                "collectstatic", interactive=False, verbosity=0, ignore_patterns=NOT_COLLECTED
            )
            stamp.write_text(fingerprint)

    def _ensure_admin(self) -> None:
        users = get_user_model().objects
        if users.filter(is_superuser=True, is_active=True).exists():
            return
        self.stdout.write("Admin login: creating")
        # The first one may still be there, and not be allowed everything any more.
        names = chain(["admin"], (f"admin-{number}" for number in count(2)))
        name = next(name for name in names if not users.filter(username=name).exists())
        password = secrets.token_urlsafe(12)
        login = f"{name}, password {password}"
        # With a login whose password is nowhere, no later start would make another.
        with transaction.atomic():
            users.create_superuser(name, password=password)
            write_private(settings.STATE_DIR / "admin-password", f"{login}\n")


def _static_fingerprint() -> str:
    """Of the files, and of what changes them as they are collected."""
    digest = hashlib.sha256(Path(static_files.__file__).read_bytes())
    for finder in get_finders():
        for path, storage in finder.list(None):
            found = Path(storage.path(path)).stat()
            digest.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
