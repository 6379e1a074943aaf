from collections.abc import Sequence
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from allo.admin_kit.flags import flag
from allo.admin_kit.questions import Questions, Verb, named
from allo.web.parts import SeeOther
from catalog import category_admin, pictures
from catalog.events import publish_pages
from catalog.forms import BEST_MATCH
from catalog.models import Product, ProductQuerySet
from catalog.openings import in_words
from catalog.picture_admin import add_further, save_picture
from catalog.picture_order import reorder, shown_of, thumbnails
from catalog.product_form import ProductForm
from catalog.templatetags.money import inr
from catalog.uploading import Uploading

PUBLISH = "catalog.publish_product"
# What is in the shop already keeps its date, by which the shop sorts.
APPLIES = {"publish": ~Q(published_at__lte=Now()), "unpublish": Q(published_at__isnull=False)}

__all__ = ("ProductAdmin", "category_admin")


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
class ProductAdmin(Uploading[Product], Questions[Product]):
    """Products are deleted one by one, and only without history, so there is no delete action."""

    verbs = {"publish": Verb("Publish", PUBLISH), "unpublish": Verb("Unpublish", PUBLISH)}
    form = ProductForm
    list_display = ("picture", "name", "category", "price", "position", "shown")
    list_display_links = ("name",)
    list_filter = (PublishedFilter, "category", "colour")
    list_select_related = ("category",)
    search_fields = ("name",)  # shows the field; what it finds is up to `get_search_results`
    prepopulated_fields = {"slug": ("name",)}
    show_facets = admin.ShowFacets.NEVER
    save_on_top = False
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "slug",
                    "category",
                    "price",
                    "gst_percent",
                    "max_per_customer",
                    "position",
                    "published_at",
                    "opens_at",
                )
            },
        ),
        ("Pictures", {"fields": ("order", "image", "alt", "further")}),
        ("Words", {"fields": ("tagline", "description", "material", "colour", "dimensions_cm")}),
    )

    # --- the list -------------------------------------------------------------------------------

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """The shop's search, unpublished products included; the best match first."""
        if not search_term.strip():
            return queryset, False
        assert isinstance(queryset, ProductQuerySet)
        return queryset.for_staff(search_term).order_by(*BEST_MATCH), False

    @admin.display
    def picture(self, row: Product) -> SafeString:
        return format_html(
            '<img class="thumb" src="{}" width="40" height="50" alt="" loading="lazy">',
            row.url_at(80),
        )

    @admin.display(ordering="price_paise")
    def price(self, row: Product) -> str:
        return inr(row.price_paise)

    @admin.display(description="In the shop", ordering="published_at")
    def shown(self, row: Product) -> SafeString:
        if row.is_published and row.opens_later:
            return flag(f"opens {timezone.localtime(row.opens_at):%-d %b %Y, %H:%M}")
        if row.is_published:
            return flag("published", "good")
        if row.published_at:
            moment = timezone.localtime(row.published_at)
            return flag(f"from {moment:%-d %b %Y, %H:%M}")
        return flag("not published")

    # --- one of them ----------------------------------------------------------------------------

    def order(self, row: Product) -> SafeString:
        """For those who may not change it."""
        return thumbnails((one, "") for one in shown_of(row))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """A new product has no pictures to put in order."""
        named = super().get_fieldsets(request, obj)
        if obj:
            return named
        return [
            (name, {"fields": [field for field in its["fields"] if field != "order"]})
            for name, its in named
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if request.user.has_perm(PUBLISH) else ("published_at", "opens_at")

    def get_form(self, request: HttpRequest, *args: Any, **more: Any) -> Any:
        """Removes the links to edit a category: here one is only chosen or added."""
        form = super().get_form(request, *args, **more)
        if category := form.base_fields.get("category"):
            widget: Any = category.widget
            widget.can_change_related = widget.can_delete_related = widget.can_view_related = False
        return form

    def page_context(self, request: HttpRequest, row: Product) -> dict[str, Any]:
        as_it_is = row.is_published and not row.opens_later
        preview = "" if as_it_is else f"{row.get_absolute_url()}?preview"
        return {**super().page_context(request, row), "preview_url": preview}

    def view_on_site(self, obj: Product) -> str | None:
        return obj.get_absolute_url() if obj.is_published else None

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:
        replaced = Product.objects.filter(pk=obj.pk).values_list("image", "widths").first()
        pictures.hold_retired(obj)
        super().save_model(request, obj, form, change)
        transaction.on_commit(partial(publish_pages, [obj.pk]), robust=True)
        if "image" in form.changed_data:
            save_picture(obj, replaced)
        if keys := form.cleaned_data.get("order"):
            reorder(obj, keys)
        add_further(obj, form.cleaned_data.get("further") or [])
        if change and "opens_at" in form.changed_data:
            _say_opening(request, obj)

    def delete_model(self, request: HttpRequest, obj: Product) -> None:
        for shown in (obj, *obj.pictures.all()):
            pictures.retire(shown.image.name or "", shown.widths)
        transaction.on_commit(partial(publish_pages, [obj.pk]), robust=True)
        super().delete_model(request, obj)

    # --- publishing -----------------------------------------------------------------------------

    def open_verbs(self, request: HttpRequest, row: Product) -> Sequence[str]:
        verb = "unpublish" if row.published_at else "publish"
        return [verb] if verb in self.allowed(request) else []

    def ask(self, request: HttpRequest, verb: str) -> HttpResponse:
        """GET asks for confirmation, naming each product; POST publishes or unpublishes them."""
        chosen = self.chosen(request).order_by("position", "pk")
        products = list(chosen.filter(APPLIES[verb]))
        if request.method == "POST" and products:
            self._do(request, verb, products)
            return SeeOther(self.back(request))
        return self.render_page(
            request,
            "admin/catalog/product/question.html",
            title=f"{verb.title()} {_count(products)}?" if products else f"Nothing to {verb}",
            verb=verb,
            rows=products,
            others=[product.name for product in chosen if product not in products],
        )

    def _do(self, request: HttpRequest, verb: str, products: list[Product]) -> None:
        moment = Now() if verb == "publish" else None
        for product in products:
            Product.objects.filter(APPLIES[verb], pk=product.pk).update(published_at=moment)
            self.log_change(request, product, f"{verb.title()}ed.")
        publish = partial(publish_pages, [product.pk for product in products])
        transaction.on_commit(publish, robust=True)
        names = named([product.name for product in products], 5)
        messages.success(request, f"{verb.title()}ed {names}.")


def _say_opening(request: HttpRequest, product: Product) -> None:
    opens_at = product.opens_at
    when = f"opens on {in_words(opens_at)}" if opens_at else "has no opening any more"
    messages.info(request, f"{product.name} {when}. Pages that are open show it within seconds.")


def _count(products: list[Product]) -> str:
    return products[0].name if len(products) == 1 else f"{len(products)} products"
