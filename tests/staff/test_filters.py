"""The filters of the admin's lists: the first in view, the others folded, and what they are set
to."""

import re

import pytest
from django.contrib import admin

from tests.staff.people import signed_in
from tests.stock import stocked

pytestmark = pytest.mark.django_db

STOCK = "/admin/inventory/inventory/"
ACTIVE = re.compile(
    r'<a class="active-filter" href="\?([^"]*)"><span class="visually-hidden">Without </span>'
    r'([^<]*) <span aria-hidden="true">×</span></a>'
)


def parts(address: str) -> tuple[str, str, list[tuple[str, str]]]:
    """The filter in view, the folded ones, and what these are set to: address without, words."""
    page = signed_in("Manager").get(address).content.decode()
    first = re.search(r'<nav class="first-filter".*?</nav>', page, re.DOTALL)
    folded = re.search(r'<details class="more-filters">.*?</details>', page, re.DOTALL)
    return (first or [""])[0], (folded or [""])[0], ACTIVE.findall(page)


def test_one_filter_is_in_view_and_the_others_are_folded() -> None:
    row = stocked(1)
    stocked(1, warehouse="del-01")
    first, folded, active = parts(f"{STOCK}?stock=low&warehouse__id__exact={row.warehouse_id}")
    assert re.findall("<h2>(.*?)</h2>", first) == ["Stock"]
    assert re.findall("<h2>(.*?)</h2>", folded) == ["Warehouse"]  # one category is no choice
    assert active == [("stock=low", "Warehouse: blr-01")]


def test_what_was_typed_is_named_as_text_and_can_be_taken_away() -> None:
    stocked(1)
    _, folded, active = parts("/admin/inventory/stockmovement/?reason=opening&product=<b>")
    assert 'value="&lt;b&gt;"' in folded
    assert active == [("reason=opening", "Product: &lt;b&gt;")]


def test_a_list_without_further_filters_has_nothing_to_unfold() -> None:
    first, folded, active = parts("/admin/reservations/staffaction/?action=released")
    assert (bool(first), folded, active) == (True, "", [])


@pytest.mark.parametrize(
    "asked",
    [
        "outbox/webhook/?secret__startswith=whsec_",
        "outbox/webhook/?state=live&secret_before__gt=a",
        "outbox/event/?data__contains=a",
        "checkout/payment/?closed_at__isempty=1&url__contains=a",
        "checkout/order/?invoice_number__startswith=AL",
        "checkout/order/export/csv/?holder__startswith=user",
        "reservations/idempotencykey/?key__startswith=a",
    ],
)
def test_what_no_filter_is_of_is_not_found_out_letter_by_letter(asked) -> None:
    assert signed_in("Viewer").get(f"/admin/{asked}").status_code == 400


def test_no_list_begins_with_a_filter_that_is_typed() -> None:
    for model, its_admin in admin.site._registry.items():
        for first in its_admin.list_filter[:1]:
            assert not hasattr(first, "matching"), model
