from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from allo.recovery.archive import RESTORED_AS_IT_WAS, BackupRefused, explained
from allo.recovery.restoring import restore


class Command(BaseCommand):
    help = "Restores a backup into an empty database, brings it up to date, and audits its books."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--other-key",
            action="store_true",
            help="accept a backup that was made with another SECRET_KEY",
        )

    def handle(self, *, file: Path, other_key: bool, **options: Any) -> None:
        try:
            restore(file, other_key=other_key, say=self.stdout.write)
        except (BackupRefused, OSError) as error:
            raise CommandError(explained(error)) from error
        # Tables of an older version are brought up to date; privileges are not in a backup.
        call_command("prepare", database_only=True, stdout=self.stdout)
        self._audit()
        self.stdout.write("The shop is restored.")

    def _audit(self) -> None:
        self.stdout.write("Auditing stock and money")
        balanced = True
        for audit in ("audit_stock", "audit_money"):
            try:
                call_command(audit, stdout=self.stdout)
            except SystemExit:
                balanced = False
        if not balanced:
            raise CommandError(
                "The shop is restored, but its books did not balance when the backup was made: see"
                " the lines above.",
                returncode=RESTORED_AS_IT_WAS,
            )
