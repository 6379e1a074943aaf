from typing import Any
from urllib.parse import urlencode

from django.core.paginator import InvalidPage, Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from allo.http.parts import Request, always_fresh, render_part, wants_part
from catalog.forms import GridForm, StockForm
from catalog.models import Category, Product, ProductQuerySet

PAGE_SIZE = 21
RELATED = 4


@require_safe
@always_fresh
def grid(request: Request) -> HttpResponse:
    form = GridForm(request.GET)
    if not form.is_valid():
        raise Http404("no such list")
    context = _grid_context(form, request.GET.get("page", "1"), whole=not wants_part(request))
    part = "results" if request.htmx.target == "results" else "cards"
    response = render_part(request, "catalog/grid.html", part, context)
    if part == "results":
        # The address says what is set, not every field of the form.
        response.headers["HX-Push-Url"] = _url(context["active"])
    return response


@require_safe
@always_fresh
def product(request: HttpRequest, slug: str) -> HttpResponse:
    shown = Product.objects.published().with_stock().select_related("category")
    preview = "preview" in request.GET and _may_preview(request)
    product = get_object_or_404(_unpublished_too() if preview else shown, slug=slug)
    others = shown.filter(category=product.category).exclude(pk=product.pk)
    related = others.order_by("position", "pk")[:RELATED]
    context = {"product": product, "related": related, "preview": preview}
    response = render(request, "catalog/product.html", context)
    if preview:
        response.headers["X-Robots-Tag"] = "noindex"
    return response


def _may_preview(request: HttpRequest) -> bool:
    """As in the admin, where a permission opens nothing to accounts that are not staff."""
    return request.user.is_staff and request.user.has_perm("catalog.view_product")


def _unpublished_too() -> ProductQuerySet:
    return Product.objects.with_stock().select_related("category")


@require_safe
@always_fresh
def stock(request: HttpRequest) -> HttpResponse:
    """How many there are of each of these products, as the cards say it."""
    form = StockForm(request.GET)
    if not form.is_valid():
        raise Http404("no such products")
    shown = Product.objects.published().with_stock().filter(pk__in=form.cleaned_data["p"])
    return render(request, "catalog/stock.html", {"products": shown})


def _grid_context(form: GridForm, number: str, *, whole: bool) -> dict[str, Any]:
    products = form.select(Product.objects.published().with_stock())
    categories = _found_by_category(products)
    category, total = _chosen(categories, form.cleaned_data["category"])
    if category:
        products = products.filter(category=category)
    page = _page(form.order(products.select_related("category")), number, total, whole=whole)
    active = form.active()
    return {
        "form": form,
        "page": page,
        "page_size": PAGE_SIZE,
        "total": total,
        "categories": categories,
        "category": category,
        "active": active,
        "next_url": _url({**active, "page": page.number + 1}) if page.has_next() else None,
        "hero": not active and page.number == 1,
    }


def _found_by_category(products: ProductQuerySet) -> list[Category]:
    # A model's own ordering does not reach a query that groups.
    return list(Category.objects.with_found(products).order_by("position", "name"))


def _chosen(categories: list[Category], slug: str) -> tuple[Category | None, int]:
    """The category asked for, None for all; and how many products that is."""
    if not slug:
        return None, sum(category.found for category in categories)
    for category in categories:
        if category.slug == slug:
            return category, category.found
    raise Http404("no such category")


def _page(products: ProductQuerySet, number: str, total: int, *, whole: bool) -> "Page[Product]":
    """A page; as a whole one also all before it, so that the address shows the list again that
    grew by "Load more"."""
    paginator = Paginator(products, PAGE_SIZE)
    paginator.count = total
    try:
        page = paginator.page(number)
    except InvalidPage:
        raise Http404("no such page") from None
    if whole:
        page.object_list = products[: page.number * PAGE_SIZE]
    return page


def _url(query: dict[str, Any]) -> str:
    return f"{reverse('catalog:grid')}?{urlencode(query)}".removesuffix("?")
