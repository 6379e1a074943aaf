from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from allo.recovery.archive import BackupRefused, explained
from allo.recovery.taking import take


class Command(BaseCommand):
    help = "Writes a backup of the shop into one file: database, pictures, secrets."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, nargs="?")

    def handle(self, *, file: Path | None, **options: Any) -> None:
        try:
            taken = take((file or _usual()).absolute())
        except (BackupRefused, OSError) as error:
            raise CommandError(explained(error)) from error
        self.stdout.write(
            f"{taken.path}: {taken.tables} tables, {taken.pictures} pictures,"
            f" {taken.size / 1e6:.1f} MB. It was read back and is whole.\n"
            "It contains the shop's secrets and its customers: keep it where only you can read it."
        )


def _usual() -> Path:
    """Not within the state folder, which may be lost whole."""
    now = datetime.now(UTC)
    folder: Path = settings.STATE_DIR.with_name(f"{settings.STATE_DIR.name}-backups")
    return folder / f"allo-{now:%Y-%m-%d-%H%M%S}.zip"
