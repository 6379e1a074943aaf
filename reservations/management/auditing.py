"""What the commands that audit have in common."""

from django.core.management.base import BaseCommand

from reservations.models import AuditRun


class AuditCommand(BaseCommand):
    def report(self, run: AuditRun) -> None:
        """Prints each finding, then exits with 1; or says that there is none."""
        for finding in run.findings:
            self.stdout.write(finding)
        if run.findings:
            raise SystemExit(1)
        self.stdout.write("The books balance.")
