from typing import Any

from django.core.management.base import BaseCommand

from reservations.clock.expiry import expire_due


class Command(BaseCommand):
    help = "Expires every reservation that is past its time, as the clock does."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{expire_due().expired} expired")
