from typing import Any

from django.core.management.base import BaseCommand

from reservations.audit import audit_stock


class Command(BaseCommand):
    help = "Checks that the books balance; prints each row that breaks an invariant, then exits 1."

    def handle(self, *args: Any, **options: Any) -> None:
        findings = audit_stock()
        for finding in findings:
            self.stdout.write(str(finding))
        if findings:
            raise SystemExit(1)
        self.stdout.write("The books balance.")
