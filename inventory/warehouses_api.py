"""Warehouses for other programs."""

from collections.abc import Iterable
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import BaseModel, ConfigDict

from allo.api_kit import fresh, openapi
from allo.api_kit.pages import LISTED, PageNumber, around, page_of, refuse_unknown
from catalog import paging
from inventory.models import Warehouse

router = Router(tags=["Products"])


class WarehouseOut(BaseModel):
    model_config = ConfigDict(title="Warehouse")

    code: str
    name: str


class WarehousePage(BaseModel):
    count: int
    next: str | None
    previous: str | None
    results: list[WarehouseOut]


WAREHOUSE = {"code": "blr-01", "name": "Bengaluru"}


@router.get(
    "/warehouses",
    response=WarehousePage,
    operation_id="warehouses",
    summary="List warehouses",
    openapi_extra=openapi.documented(page_of(WAREHOUSE, None), LISTED, headers=("ETag",)),
)
def warehouses(request: HttpRequest, page: PageNumber = 1) -> HttpResponse:
    """The places that hold stock, a page at a time."""
    refuse_unknown(request, {"page"})
    pages = Paginator(Warehouse.objects.order_by("position", "code"), paging.SIZE)
    following = {"page": page + 1} if page < pages.num_pages else None
    rows = pages.page(page).object_list if page <= pages.num_pages else ()
    listed = {"count": pages.count, **around(request, page, following), "results": _named(rows)}
    return fresh.answer(request, listed)


def _named(rows: Iterable[Warehouse]) -> list[dict[str, Any]]:
    return [{"code": row.code, "name": row.name} for row in rows]
