from argparse import ArgumentParser
from typing import Any

from reservations.clock.audit import repair_reserved, run_audit
from reservations.management.auditing import AuditCommand


class Command(AuditCommand):
    help = "Checks the invariants of the books; prints each row that breaks one, then exits with 1."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--repair-reserved",
            action="store_true",
            help="first set reserved_units to what is held, keeping a record of each correction",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        for repair in repair_reserved() if options["repair_reserved"] else ():
            self.stdout.write(f"inventory {repair.inventory_id}: {repair}")
        self.report(run_audit())
