from django.contrib import admin

from allo.http.admin import ReadOnlyAdmin
from reservations.models import AuditRun, IdempotencyKey, Repair, Reservation, Sweep


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin[Reservation]):
    list_display = ("id", "inventory", "quantity", "status", "holder", "created_at", "expires_at")
    list_filter = ("status", "inventory__warehouse")
    list_select_related = ("inventory__product", "inventory__warehouse")
    search_fields = ("id__startswith", "inventory__product__name", "holder")


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin[IdempotencyKey]):
    # The key itself lets its client replay an answer: it is nobody else's to read.
    list_display = ("endpoint", "status", "client", "reservation", "created_at")
    list_filter = ("endpoint", "status")
    list_select_related = ("reservation",)
    exclude = ("key", "request_hash")


@admin.register(Sweep)
class SweepAdmin(ReadOnlyAdmin[Sweep]):
    list_display = ("finished_at", "expired", "max_lateness_seconds")


@admin.register(AuditRun)
class AuditRunAdmin(ReadOnlyAdmin[AuditRun]):
    list_display = ("finished_at", "__str__")


@admin.register(Repair)
class RepairAdmin(ReadOnlyAdmin[Repair]):
    list_display = ("created_at", "inventory", "found", "held")
    list_select_related = ("inventory__product", "inventory__warehouse")
