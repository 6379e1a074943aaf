"""The admin's pages of pictures: a product's own, and further ones."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import Max
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from allo.web.worker import ask
from catalog import pictures
from catalog.events import publish_pages
from catalog.models import Pictured, Product, ProductPicture
from catalog.product_form import PictureField
from catalog.tasks import make_sizes
from catalog.uploading import Uploading

CHANGE = "catalog.change_product"


def save_picture(row: Pictured, before: tuple[str, list[int] | None] | None) -> None:
    """After a row was saved with a new picture: queues the making of its sizes, and retires the old
    one."""
    # If it cannot be queued, the next run of the clock makes the sizes.
    transaction.on_commit(partial(ask, make_sizes))
    if before and before[0] != row.image.name:
        pictures.retire(*before)


def add_further(product: Product, files: list[Any]) -> None:
    """Adds these pictures after the existing ones."""
    last = product.pictures.aggregate(last=Max("position", default=0))["last"]
    for place, file in enumerate(files, start=last + 1):
        alt = f"{product.name}: picture {place + 1}"
        product.pictures.create(image=file, alt=alt, position=place, dominant_hex=file.dominant_hex)
    if files:
        transaction.on_commit(partial(ask, make_sizes))


class PictureForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for type checkers alone
    image = PictureField(label="Picture")

    class Meta:
        model = ProductPicture
        fields = ("image", "alt")

    def save(self, commit: bool = True) -> Any:
        if colour := getattr(self.cleaned_data.get("image"), "dominant_hex", None):
            self.instance.dominant_hex = colour
            self.instance.widths = None
        return super().save(commit)


@admin.register(ProductPicture)
class ProductPictureAdmin(Uploading[ProductPicture]):
    """Reached from the product, with the permissions for it; added and put in order there."""

    form = PictureForm
    fields = ("shown", "image", "alt")
    readonly_fields = ("shown",)
    list_display = ("alt", "product", "position")
    list_select_related = ("product",)
    save_on_top = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("catalog.view_product") or request.user.has_perm(CHANGE)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(CHANGE)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(CHANGE)

    @admin.display(description="Now")
    def shown(self, row: ProductPicture) -> SafeString:
        return format_html(
            '<img class="picture" src="{}" width="{}" height="{}" alt="">',
            row.url_at(400), row.width, row.height,
        )  # fmt: skip

    def save_model(
        self, request: HttpRequest, obj: ProductPicture, form: Any, change: bool
    ) -> None:
        before = ProductPicture.objects.filter(pk=obj.pk).values_list("image", "widths").first()
        pictures.hold_retired(obj.product)
        super().save_model(request, obj, form, change)
        if "image" in form.changed_data:
            save_picture(obj, before)
        transaction.on_commit(partial(publish_pages, [obj.product_id]), robust=True)

    def delete_model(self, request: HttpRequest, obj: ProductPicture) -> None:
        request.deleted_from = obj.product_id  # type: ignore[attr-defined]
        pictures.retire(obj.image.name or "", obj.widths)
        transaction.on_commit(partial(publish_pages, [obj.product_id]), robust=True)
        super().delete_model(request, obj)

    def response_post_save_change(
        self, request: HttpRequest, obj: ProductPicture
    ) -> HttpResponseRedirect:
        return HttpResponseRedirect(_page_of(obj.product_id))

    def response_delete(
        self, request: HttpRequest, obj_display: str, obj_id: int
    ) -> HttpResponseRedirect:
        super().response_delete(request, obj_display, obj_id)
        return HttpResponseRedirect(_page_of(request.deleted_from))  # type: ignore[attr-defined]


def _page_of(product: int) -> str:
    return reverse("admin:catalog_product_change", args=[product])
