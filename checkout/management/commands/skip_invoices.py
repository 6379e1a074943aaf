from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from checkout.orders import serials


class Command(BaseCommand):
    help = (
        "After a restore: counts up to the last invoice that was given since the backup, so that"
        " the next one has a number of its own."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("last", help="its number, such as AL26-27/000123")

    def handle(self, *, last: str, **options: Any) -> None:
        try:
            skipped = serials.skip_to(last)
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{skipped} numbers are skipped. The next invoice comes after {last}.")
