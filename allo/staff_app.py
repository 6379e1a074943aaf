from importlib import import_module

from django.contrib.admin.apps import AdminConfig


class StaffConfig(AdminConfig):
    default_site = "allo.staff.StaffSite"

    def ready(self) -> None:
        super().ready()
        # What staff ask of the worker goes through the shop's own Celery, which knows the broker.
        import_module("allo.celery")
