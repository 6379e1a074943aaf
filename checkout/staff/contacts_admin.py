from django.contrib import admin

from allo.admin_kit.base import ReadOnlyAdmin
from checkout.models import Contact


@admin.register(Contact)
class ContactAdmin(ReadOnlyAdmin[Contact]):
    list_display = ("reservation_id", "name", "email", "changed_at")
    search_fields = ("name", "email", "reservation__pk__startswith")
