"""Categories for staff, and the old addresses of categories and products."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from allo.admin_kit.base import ModelAdmin, ReadOnlyAdmin
from catalog.events import publish_categories
from catalog.models import Category, CategorySlug, ProductSlug
from catalog.slugs import refuse_used


class CategoryForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for type checkers alone
    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        refuse_used(slug, self.instance)
        return slug


@admin.register(Category)
class CategoryAdmin(ModelAdmin[Category]):
    form = CategoryForm
    list_display = ("name", "slug", "position")
    search_fields = ("name",)
    prepopulated_fields = {"slug": ("name",)}

    def view_on_site(self, obj: Category) -> str:
        return f"{reverse('catalog:grid')}?category={obj.slug}"

    def save_model(self, request: HttpRequest, obj: Category, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change:
            transaction.on_commit(publish_categories, robust=True)


class KeptSlugAdmin(ReadOnlyAdmin[Any]):
    """Old slugs and where they lead. Read-only: a trigger writes them."""

    owner: str
    search_fields = ("slug",)

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        return ("slug", self.owner)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related(self.owner)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The permission to view their owners is enough."""
        return request.user.has_perm(f"catalog.view_{self.owner}")


@admin.register(CategorySlug)
class CategorySlugAdmin(KeptSlugAdmin):
    owner = "category"


@admin.register(ProductSlug)
class ProductSlugAdmin(KeptSlugAdmin):
    owner = "product"
