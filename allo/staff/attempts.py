"""Admin pages of accounts and of sign-in attempts."""

from collections.abc import Iterable
from typing import Any

from axes.models import AccessAttempt, AccessLog
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest

from allo.admin_kit.base import QuickPaginator, ReadOnlyAdmin
from allo.admin_kit.editing import Editing
from allo.admin_kit.pages import Pages
from allo.staff.login import SetPasswordForm
from reservations.staff import account_admin

admin.site.unregister([User, Group])


@admin.register(Group)
class RoleAdmin(Editing[Group], Pages[Group], GroupAdmin):
    """Django's own, but for what all pages of the shop's admin have in common."""

    paginator = QuickPaginator


@admin.register(User)
class AccountAdmin(account_admin.AccountAdmin):
    """An account with entries in the admin's log can be made inactive, but not deleted."""

    paginator = QuickPaginator
    change_password_form = SetPasswordForm
    # Recorded, not typed.
    readonly_fields = ("last_login", "date_joined")

    def get_deleted_objects(self, objs: Iterable[User], request: HttpRequest) -> Any:
        *found, protected = super().get_deleted_objects(objs, request)
        entries = LogEntry.objects.filter(user__in=[user.pk for user in objs])
        names = entries.values_list("user__username", flat=True).order_by("user__username")
        recorded = [f"What {name} did in the admin" for name in names.distinct()]
        return *found, [*protected, *recorded]


@admin.register(AccessAttempt)
class AccessAttemptAdmin(ReadOnlyAdmin[AccessAttempt]):
    list_display = ("attempt_time", "username", "ip_address", "failures_since_start")
    list_filter = ("attempt_time",)
    search_fields = ("username", "ip_address")
    fields = ("attempt_time", "username", "ip_address", "user_agent", "failures_since_start")


@admin.register(AccessLog)
class AccessLogAdmin(ReadOnlyAdmin[AccessLog]):
    list_display = ("attempt_time", "username", "ip_address", "logout_time")
    list_filter = ("attempt_time",)
    search_fields = ("username", "ip_address")
    fields = ("attempt_time", "username", "ip_address", "user_agent", "logout_time")
