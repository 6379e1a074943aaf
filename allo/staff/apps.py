from importlib import import_module

from django.contrib.admin.apps import AdminConfig


class StaffConfig(AdminConfig):
    default_site = "allo.staff.site.StaffSite"

    def ready(self) -> None:
        super().ready()
        import_module("allo.staff.attempts")
        # What staff ask of the worker goes through the shop's own Celery, which knows the broker.
        import_module("allo.celery")
