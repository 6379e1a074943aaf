from django.contrib import admin

from allo.http.admin import ModelAdmin
from catalog.models import Category, Product


@admin.register(Category)
class CategoryAdmin(ModelAdmin[Category]):
    list_display = ("name", "slug", "position")
    list_editable = ("position",)
    search_fields = ("name",)
    prepopulated_fields = {"slug": ("name",)}
    show_full_result_count = False


@admin.register(Product)
class ProductAdmin(ModelAdmin[Product]):
    list_display = ("name", "category", "price_paise", "position", "published_at")
    list_filter = ("category",)
    list_select_related = ("category",)
    search_fields = ("name", "slug")
    autocomplete_fields = ("category",)
    prepopulated_fields = {"slug": ("name",)}
    readonly_fields = ("width", "height", "created_at")
    show_full_result_count = False
