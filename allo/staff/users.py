"""Admin pages of users and their roles."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.forms import ReadOnlyPasswordHashWidget, UserChangeForm
from django.contrib.auth.models import Group, User
from django.http import HttpRequest

from allo.admin_kit.adding import Adding
from allo.admin_kit.base import QuickPaginator
from allo.admin_kit.editing import Editing
from allo.staff.login import SetPasswordForm
from reservations.staff.user_admin import UserWithHolds

# The labels of a user's fields, and what each means.
WORDS = {
    "username": ("Name to sign in with", "Letters, digits, and @ . + - _"),
    "email": ("E-mail", ""),
    "is_active": (
        "Active",
        (
            "Without it, the user cannot sign in. Untick it instead of deleting somebody who did"
            " something here."
        ),
    ),
    "is_staff": ("Staff", "May sign in to the admin, for what the roles below allow."),
    "is_superuser": ("Superuser", "May do everything, whatever the roles."),
    "groups": ("Roles", "The user may do what any of them allows."),
    "user_permissions": (
        "Single permissions",
        "For this user alone, besides the roles. Better give a role: it says what the work is.",
    ),
}

admin.site.unregister([User, Group])


@admin.register(Group)
class RoleAdmin(Editing[Group], Adding[Group], GroupAdmin):
    """Django's own, but for what all pages of the shop's admin have in common."""

    paginator = QuickPaginator


class PasswordShown(ReadOnlyPasswordHashWidget):
    """That there is one; how it is stored tells staff nothing."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["summary"] = [said for said in context["summary"] if "value" not in said]
        return context


class UserForm(UserChangeForm):  # type: ignore[type-arg]
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if password := self.fields.get("password"):
            password.widget = PasswordShown()


@admin.register(User)
class UserAdmin(UserWithHolds):
    """A user with entries in the admin's log can be made inactive, but not deleted."""

    paginator = QuickPaginator
    form = UserForm
    change_password_form = SetPasswordForm
    # Recorded, not typed.
    readonly_fields = ("last_login", "date_joined")

    def formfield_for_dbfield(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> forms.Field | None:
        """In the shop's words. On the model they would be changes of Django's own migrations."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field and db_field.name in WORDS:
            field.label, field.help_text = WORDS[db_field.name]
        return field

    def get_deleted_objects(self, objs: Iterable[User], request: HttpRequest) -> Any:
        *found, protected = super().get_deleted_objects(objs, request)
        entries = LogEntry.objects.filter(user__in=[user.pk for user in objs])
        names = entries.values_list("user__username", flat=True).order_by("user__username")
        recorded = [f"What {name} did in the admin" for name in names.distinct()]
        return *found, [*protected, *recorded]
