import gc
from importlib import import_module

from django.contrib.admin.apps import AdminConfig


class StaffConfig(AdminConfig):
    default_site = "allo.staff.site.StaffSite"

    def ready(self) -> None:
        super().ready()
        import_module("allo.staff.users")
        import_module("allo.staff.attempts")
        import_module("allo.staff.messages")
        import_module("allo.staff.webhooks")
        import_module("allo.staff.deliveries")
        # Loads the shop's Celery application, so that tasks queued by the admin reach its broker.
        import_module("allo.celery")
        # `allo.apps` has turned it off. What is loaded by now needs no look any more.
        gc.freeze()
        gc.enable()
