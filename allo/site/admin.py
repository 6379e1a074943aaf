from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.widgets import AdminTextareaWidget
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now
from django.http import HttpRequest

from allo.admin_kit.base import ModelAdmin
from allo.admin_kit.editing import AnyModelForm
from allo.site.models import Page
from allo.site.written import faults
from allo.web.fields import TextField


class PageForm(AnyModelForm):
    def clean_body(self) -> str:
        body: str = self.cleaned_data["body"]
        if found := list(dict.fromkeys(faults(body))):
            raise ValidationError(found)
        return body


@admin.register(Page)
class PageAdmin(ModelAdmin[Page]):
    """The pages in the shop's footer: each is there in every shop, so none is added or deleted."""

    form = PageForm
    list_display = ("title", "slug", "changed_at")
    fields = ("title", "body")
    formfield_overrides: ClassVar[dict[Any, Any]] = {
        models.TextField: {"form_class": TextField, "widget": AdminTextareaWidget({"rows": 24})},
    }

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Page | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Page, form: AnyModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.changed_data:
            Page.objects.filter(pk=obj.pk).update(changed_at=Now())
