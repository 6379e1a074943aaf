from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from allo.http.admin import ModelAdmin
from allo.http.flags import flag
from allo.http.parts import SeeOther
from allo.http.worker import ask
from catalog import pictures
from catalog.models import Category, Product, sized
from catalog.product_form import ProductForm
from catalog.tasks import make_sizes
from catalog.templatetags.money import inr

AT_ONCE = 100
VERBS = ("publish", "unpublish")


@admin.register(Category)
class CategoryAdmin(ModelAdmin[Category]):
    list_display = ("name", "slug", "position")
    search_fields = ("name",)
    prepopulated_fields = {"slug": ("name",)}


class PublishedFilter(admin.SimpleListFilter):
    title = "in the shop"
    parameter_name = "shown"

    CONDITIONS = {
        "yes": Q(published_at__lte=Now()),
        "later": Q(published_at__gt=Now()),
        "no": Q(published_at=None),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Published"), ("later", "Published later"), ("no", "Not published")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        condition = self.CONDITIONS.get(self.value() or "")
        return queryset.filter(condition) if condition else queryset


@admin.register(Product)
class ProductAdmin(ModelAdmin[Product]):
    form = ProductForm
    list_display = ("picture", "name", "category", "price", "position", "shown")
    list_display_links = ("name",)
    list_filter = (PublishedFilter, "category")
    list_select_related = ("category",)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    show_facets = admin.ShowFacets.NEVER
    save_on_top = False
    fieldsets = (
        (None, {"fields": ("name", "slug", "category", "price", "position", "published_at")}),
        ("Picture", {"fields": ("image", "alt")}),
        ("Words", {"fields": ("tagline", "description", "material", "dimensions_cm")}),
    )

    # --- the list -------------------------------------------------------------------------------

    @admin.display
    def picture(self, row: Product) -> SafeString:
        name = row.image.name or ""
        small = sized(name, 400) if row.widths and 400 in row.widths else name
        return format_html(
            '<img class="thumb" src="{}" width="40" height="50" alt="" loading="lazy">',
            row.image.storage.url(small),
        )

    @admin.display(ordering="price_paise")
    def price(self, row: Product) -> str:
        return inr(row.price_paise)

    @admin.display(description="In the shop", ordering="published_at")
    def shown(self, row: Product) -> SafeString:
        if row.is_published:
            return flag("published", "good")
        if row.published_at:
            moment = timezone.localtime(row.published_at)
            return flag(f"from {moment:%-d %b %Y, %H:%M}")
        return flag("not published")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """No deletion by the dozen: one at a time, and only what has no history."""
        if not _may_publish(request):
            return {}
        return {verb: (partial(_begin, verb), verb, f"{verb.title()} selected …") for verb in VERBS}

    # --- one of them ----------------------------------------------------------------------------

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if _may_publish(request) else ("published_at",)

    def get_form(self, request: HttpRequest, *args: Any, **more: Any) -> Any:
        """A category is chosen or added here; it is changed where categories are."""
        form = super().get_form(request, *args, **more)
        if category := form.base_fields.get("category"):
            widget: Any = category.widget
            widget.can_change_related = widget.can_delete_related = widget.can_view_related = False
        return form

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        product = self.get_object(request, object_id)
        more: dict[str, Any] = {}
        if product and not product.is_published:
            more["preview_url"] = f"{product.get_absolute_url()}?preview"
        if product and _may_publish(request):
            verb = "unpublish" if product.published_at else "publish"
            more["verb"] = (verb, f"{_verb_url(verb)}?id={product.pk}")
        return super().change_view(request, object_id, form_url, {**more, **(extra_context or {})})

    def view_on_site(self, obj: Product) -> str | None:
        return obj.get_absolute_url() if obj.is_published else None

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:
        replaced = Product.objects.filter(pk=obj.pk).values_list("image", "widths").first()
        super().save_model(request, obj, form, change)
        if "image" in form.changed_data:
            # If it cannot be asked: the clock does it too.
            transaction.on_commit(partial(ask, make_sizes))
            if replaced and replaced[0] != obj.image.name:
                drop = partial(pictures.remove, obj.image.storage, replaced[0], replaced[1] or [])
                transaction.on_commit(drop)

    def delete_model(self, request: HttpRequest, obj: Product) -> None:
        drop = partial(pictures.remove, obj.image.storage, obj.image.name, obj.widths or [])
        super().delete_model(request, obj)
        transaction.on_commit(drop)

    # --- publishing -----------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        pages = [
            path(
                f"{verb}/",
                self.admin_site.admin_view(partial(self.publishing, verb=verb)),
                name=f"catalog_product_{verb}",
            )
            for verb in VERBS
        ]
        return [*pages, *super().get_urls()]

    def publishing(self, request: HttpRequest, verb: str) -> HttpResponse:
        """Asks, naming each product; then does it."""
        if not _may_publish(request):
            raise PermissionDenied
        products = list(_chosen(request))
        back = _back(products)
        if request.method == "POST" and products:
            for product in products:
                Product.objects.filter(pk=product.pk).update(
                    published_at=Now() if verb == "publish" else None
                )
                self.log_change(request, product, f"{verb.title()}ed.")
            names = ", ".join(product.name for product in products[:5])
            more = f" and {len(products) - 5} more" if len(products) > 5 else ""
            messages.success(request, f"{verb.title()}ed {names}{more}.")
            return SeeOther(back)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{verb.title()} {_count(products)}?",
            "verb": verb,
            "products": products,
            "back": back,
            "list_url": _list_url(),
        }
        return render(request, "admin/catalog/product/question.html", context)


def _may_publish(request: HttpRequest) -> bool:
    return request.user.has_perm("catalog.publish_product")


def _chosen(request: HttpRequest) -> Iterator[Product]:
    asked = request.POST if request.method == "POST" else request.GET
    try:
        ids = [int(pk) for pk in asked.getlist("id")]
    except ValueError:
        raise BadRequest("not an id") from None
    if len(ids) > AT_ONCE or any(pk >= 2**63 for pk in ids):
        raise BadRequest("too many, or no ids")
    yield from Product.objects.filter(pk__in=ids).order_by("position", "pk")


def _begin(
    verb: str, _admin: ProductAdmin, request: HttpRequest, rows: QuerySet[Product]
) -> HttpResponse | None:
    names = [("id", pk) for pk in rows.order_by().values_list("pk", flat=True)[: AT_ONCE + 1]]
    if len(names) > AT_ONCE:
        messages.error(request, f"{AT_ONCE} at once at the most: select fewer.")
        return None
    return HttpResponseRedirect(f"{_verb_url(verb)}?{urlencode(names)}")


def _count(products: list[Product]) -> str:
    return products[0].name if len(products) == 1 else f"{len(products)} products"


def _list_url() -> str:
    return reverse("admin:catalog_product_changelist")


def _verb_url(verb: str) -> str:
    return reverse(f"admin:catalog_product_{verb}")


def _back(products: list[Product]) -> str:
    if len(products) != 1:
        return _list_url()
    return reverse("admin:catalog_product_change", args=[products[0].pk])
