"""What the shop's admin pages have in common."""

from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

Row = TypeVar("Row", bound=Model)

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin
else:

    class ModelAdmin(admin.ModelAdmin):
        """Takes the type parameter that only type checkers know."""

        def __class_getitem__(cls, row: type[Model]) -> Any:
            return cls


class ReadOnlyAdmin(ModelAdmin[Row]):
    """To look at, for superusers too: these rows are changed by verbs, or by nobody."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False
