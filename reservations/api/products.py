"""Products for other programs: the shop's grid as JSON."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal

from django.db.models import prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponse
from ninja import Router

from allo.api_kit import fresh, openapi, problems
from allo.api_kit.api import invalid
from allo.api_kit.pages import LISTED, PageNumber, around, page_of, refuse_unknown
from catalog import paging
from catalog.forms import GridForm
from catalog.models import Category, Pictured, Product, ProductQuerySet
from catalog.slugs import NoSuchCategory, follow_categories, follow_renames
from inventory.availability import selected
from inventory.models import Inventory
from reservations.api.product_query import After, Colours, Materials, Price, Slug, Words
from reservations.api.product_schema import PRODUCT, ProductOut, ProductPage
from reservations.availability import shown, with_stock_and_lapse
from reservations.facts import instant

router = Router(tags=["Products"])
NEXT = "/api/products?q=vase&page=2&after=57~40~0"


@router.get(
    "/products",
    response=ProductPage,
    operation_id="products",
    summary="List products",
    openapi_extra=openapi.documented(page_of(PRODUCT, NEXT), LISTED, headers=("ETag",), moves=True),
)
@follow_categories
def products(  # noqa: PLR0917 - ninja passes them by name
    request: HttpRequest,
    q: Words = "",
    category: Slug = None,
    in_stock: Literal["true", "false", "1", "0", ""] = "false",
    price: Price = None,
    material: Materials = None,
    colour: Colours = None,
    sort: Literal["featured", "newest", "price", "-price", "name"] = "featured",
    page: PageNumber = 1,
    after: After = "",
) -> HttpResponse:
    """What the shop sells, filtered and sorted as on its front page, a page at a time, with the
    units that are available in each warehouse. `material` and `colour` may be given several times:
    a product has any of them. A search (`q`) forgives accents and small mistakes,
    and what is `featured` comes best match first."""
    chosen = {
        "q": q,
        "category": category or "",
        "in_stock": in_stock,
        "price": price or "",
        "material": material,
        "colour": colour,
        "sort": sort,
        "after": after,
    }
    refuse_unknown(request, {*chosen, "page"}, several=("material", "colour"))
    form = GridForm(chosen)
    if not form.is_valid():
        raise invalid((field, str(errors[0])) for field, errors in form.errors.items())
    if category and not Category.objects.filter(slug=category).exists():
        raise NoSuchCategory(category)
    found = selected(Product.objects.published(), form)
    return fresh.answer(request, _products_from(request, found, form.order, str(page), after))


@router.get(
    "/products/{slug:slug}",
    response=ProductOut,
    operation_id="product",
    summary="Read a product",
    openapi_extra=openapi.documented(PRODUCT, (problems.NOT_FOUND,), headers=("ETag",), moves=True),
)
@follow_renames
def product(request: HttpRequest, slug: str) -> HttpResponse:
    """One product, with the units that are available in each warehouse."""
    published = Product.objects.published().select_related("category")
    found = with_stock_and_lapse(published).filter(slug=slug).first()
    if found is None:
        raise Http404("no such product")
    return fresh.answer(request, _with_stock([found])[0])


def _products_from(
    request: HttpRequest, rows: ProductQuerySet, order: Sequence[str], number: str, after: str
) -> dict[str, Any]:
    try:
        part = paging.part(rows, order, paging.place(number, after, order), whole=False)
    except paging.NoSuchPart:
        raise Http404("no such place in this list: take `after` from `next`") from None
    return {
        "count": rows.count(),
        **around(request, part.number, part.following),
        "results": _with_stock(shown(part.keys)),
    }


def _with_stock(products: list[Product]) -> list[dict[str, Any]]:
    prefetch_related_objects(products, "pictures")
    rows = Inventory.objects.with_free().filter(product__in=products)
    stock = defaultdict(list)
    for row in rows.select_related("warehouse").order_by("warehouse__position", "pk"):
        stock[row.product_id].append(
            {
                "warehouse": row.warehouse.code,
                "available": row.available,
                "total": row.total_units,
            }
        )
    return [_facts(product, stock[product.pk]) for product in products]


def _facts(product: Product, stock: list[dict[str, Any]]) -> dict[str, Any]:
    available = sum(row["available"] for row in stock)
    lapse = None if available else product.next_lapse_at
    pictures = [_picture(shown) for shown in (product, *product.pictures.all())]
    return {
        "slug": product.slug,
        "name": product.name,
        "category": {"slug": product.category.slug, "name": product.category.name},
        "tagline": product.tagline,
        "description": product.description,
        "material": product.material,
        "colour": product.colour,
        "dimensions_cm": product.dimensions_cm,
        "price_paise": product.price_paise,
        "currency": "INR",
        "max_per_customer": product.max_per_customer,
        "opens_at": product.opens_at and instant(product.opens_at),
        "url": product.get_absolute_url(),
        "image": pictures[0],
        "pictures": pictures,
        "available": available,
        "next_lapse_at": lapse and instant(lapse),
        "stock": stock,
    }


def _picture(shown: Pictured) -> dict[str, Any]:
    return {
        "url": shown.image.url,
        "width": shown.width,
        "height": shown.height,
        "alt": shown.alt,
        "sizes": [{"url": url, "width": width} for url, width in shown.sizes],
    }
