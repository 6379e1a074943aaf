"""Django's `ModelAdmin` as type checkers know it: with a type parameter."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model

if TYPE_CHECKING:
    GenericAdmin = admin.ModelAdmin
else:

    class GenericAdmin(admin.ModelAdmin):
        def __class_getitem__(cls, row: type[Model]) -> Any:
            return cls
