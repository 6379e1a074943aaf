from typing import Any

from checkout.audit import run_audit
from reservations.management.auditing import AuditCommand


class Command(AuditCommand):
    help = "Checks the invariants of money; prints each row that breaks one, then exits with 1."

    def handle(self, *args: Any, **options: Any) -> None:
        self.report(run_audit())
