"""The shop's front page: its products with their stock."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from allo.web.parts import Request, always_fresh, render_part, wants_part
from allo.web.shared.keys import Query, Sharing
from allo.web.shared.pages import shared
from catalog import paging
from catalog.forms import GridForm
from catalog.models import Category, Product, ProductQuerySet
from catalog.slugs import NoSuchCategory, follow_categories
from inventory.availability import conditions, selected
from reservations.availability import shown
from reservations.shop import facets

RARE = {"q", "after", "page"}


def _is_rare(asked: Query) -> bool:
    """Searches, later pages and combinations of filters: there are thousands of them."""
    return not RARE.isdisjoint(name for name, _ in asked) or len(asked) > 2


GRID = Sharing(
    query={
        "q": "",
        "category": "",
        "in_stock": "",
        "price": "",
        "material": "",
        "colour": "",
        "sort": "featured",
        "page": "1",
        "after": "",
    },
    several=("material", "colour"),
    targets=("results",),
    is_rare=_is_rare,
)


@require_safe
@always_fresh
@follow_categories
@shared(GRID)
def grid(request: Request) -> HttpResponse:
    form = GridForm(request.GET)
    if not form.is_valid():
        raise Http404("no such list")
    context = _grid_context(request, form)
    part = "results" if request.htmx.target == "results" else "cards"
    # Beside the results, what the page says of them changes too: title, heading, first order.
    context["is_swapped"] = part == "results" and wants_part(request)
    response = render_part(request, "catalog/grid.html", part, context)
    if part == "results":
        # The address contains the fields that are set, not every field of the form.
        response.headers["HX-Push-Url"] = _url(context["active"])
    return response


def _grid_context(request: Request, form: GridForm) -> dict[str, Any]:
    products = selected(Product.objects.published(), form)
    categories, counts = facets.counted(form)
    category = _chosen(categories, form.cleaned_data["category"])
    total = _total(products, form, counts)
    page = _page(request, form, products)
    active = form.active()
    return {
        "form": form,
        "page": page,
        "shown": shown(page.keys),
        "page_size": paging.SIZE,
        "total": total,
        "most_counted": facets.MOST_COUNTED,
        "counts": counts,
        "categories": _categories(categories, category, counts),
        "facets": facets.of(form, counts),
        "category": category,
        "active": active,
        "next_url": _url({**active, **page.following}) if page.following else None,
        "start_url": _url(active),
        "others": _others(form, active, total),
        "hero": not active and page.number == 1,
    }


def _total(products: ProductQuerySet, form: GridForm, counts: facets.Counts | None) -> int:
    if counts is not None:
        return counts.get("", 0)
    filtered = conditions(form)
    return paging.counted(products, facets.MOST_COUNTED) if filtered else facets.MOST_COUNTED + 1


def _categories(
    categories: list[Category], category: Category | None, counts: facets.Counts | None
) -> list[facets.Choice]:
    labels = [("", "Everything"), *((each.slug, each.name) for each in categories)]
    keys = {each.slug: f"category-{each.pk}" for each in categories}
    choices = facets.choices("category", labels, counts, [category.slug if category else ""])
    return [replace(choice, same=keys.get(choice.value, "")) for choice in choices]


def _chosen(categories: list[Category], slug: str) -> Category | None:
    """The category of that slug, None for all."""
    if not slug:
        return None
    for category in categories:
        if category.slug == slug:
            return category
    raise NoSuchCategory(slug)


def _page(request: Request, form: GridForm, products: ProductQuerySet) -> paging.Part:
    number, after = request.GET.get("page", "1"), request.GET.get("after", "")
    try:
        place = paging.place(number, after, form.order)
    except paging.NoSuchPart:
        raise Http404("no such page") from None
    return paging.part(products, form.order, place, whole=not wants_part(request))


def _others(form: GridForm, active: dict[str, Any], total: int) -> list[tuple[str, str]]:
    """Other searches with the same filters, and their addresses: the corrected one, or, if nothing
    was found, those that have results."""
    if not form.search:
        return []
    words = (form.search.corrected,) if total else form.search.suggestions
    return [(word, _url({**active, "q": word})) for word in words if word]


def _url(query: dict[str, Any]) -> str:
    return f"{reverse('catalog:grid')}?{urlencode(query, doseq=True)}".removesuffix("?")
