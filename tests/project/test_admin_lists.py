"""Lists of the admin over rows of each kind."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from checkout.models import Charge, Order
from reservations.waiting import services
from tests.checkout.orders import brought, opened, refund
from tests.hooks.hearing import hears
from tests.joining import waiting
from tests.project.test_admin import MODELS, page
from tests.reservations.test_verbs import hold
from tests.shopping import holding, press
from tests.stock import stocked

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_history")]


@pytest.fixture(scope="module")
def _history(module_db) -> None:
    actor = User.objects.create_user("asha")
    hears()
    closed = stocked(0, product="jug")
    waiting(closed)
    services.close(product_id=closed.product_id, reason="No more vases", by=actor)
    for n in range(3):
        shopper = Client()
        press(shopper, holding(shopper, stocked(5, product=f"vase-{n}")), "confirm")
        held = hold(stocked(5, product=f"bowl-{n}"))
        order = brought(opened(held, email="ravi@example.org"), "paid")
        order.order_events.create(what="paid", who=actor)
        refund(order.charges.get(), 5, line=order.order_lines.get(), actor=actor)
        waiting(stocked(0, product=f"plate-{n}"))


@pytest.mark.parametrize("model", MODELS)
def test_a_list_and_what_is_in_it_can_be_opened_and_searched(admin_client, model) -> None:
    assert admin_client.get(page(model, "changelist")).status_code == 200
    assert admin_client.get(page(model, "changelist"), {"q": "vase"}).status_code == 200
    for row in model.objects.all()[:1]:
        assert admin_client.get(page(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_a_list_runs_as_many_queries_for_three_rows_as_for_one(
    admin_client, django_assert_max_num_queries, model
) -> None:
    with django_assert_max_num_queries(7):
        admin_client.get(page(model, "changelist"))


@pytest.mark.parametrize(
    "model", ["order", "orderline", "orderevent", "payment", "charge", "refund"]
)
def test_an_order_and_its_money_are_found_by_its_number(admin_client, model) -> None:
    order = Order.objects.first()
    assert order
    found = admin_client.get(f"/admin/checkout/{model}/", {"q": order.number.lower()})
    assert found.context["cl"].result_count == 1
    assert order.number in found.content.decode()


def test_an_order_is_found_by_its_buyers_address_and_money_by_its_reference(admin_client) -> None:
    charge = Charge.objects.first()
    assert charge
    searches = {
        ("order", "RAVI@example.org"): 3,
        ("order", "ravi"): 0,
        ("orderline", str(charge.order.order_lines.get().reservation_id)): 1,
        ("payment", str(charge.payment_id)): 1,
        ("charge", charge.reference): 1,
        ("refund", str(charge.refunds.get().pk)): 1,
    }
    for (model, words), results in searches.items():
        found = admin_client.get(f"/admin/checkout/{model}/", {"q": words})
        assert found.context["cl"].result_count == results
