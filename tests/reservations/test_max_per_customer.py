"""`Product.max_per_customer`: what one customer holds and has bought, in all their browsers."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalog.models import Product
from inventory.models import Inventory
from reservations import services
from reservations.engine.adopting import Adopt
from reservations.engine.commands import Holder, Reserve
from reservations.engine.locks import Patience
from reservations.engine.transactions import _transact
from reservations.exceptions import LimitReached
from reservations.models import Reservation
from tests.joining import EMAIL, all_held, given_back, opened, waiting
from tests.reservations.test_verbs import hold
from tests.server import rows_read
from tests.shopping import holding, press, press_reserve
from tests.stock import pass_time, stocked
from tests.waiting import offer_of

pytestmark = pytest.mark.django_db

COUNTS = "reservations_adoptedholder"
WORDS = "At most 1 of it for each customer"


def limited(most: int, *warehouses: str) -> list[Inventory]:
    rows = [stocked(9, warehouse=warehouse) for warehouse in warehouses or ("blr-01",)]
    Product.objects.update(max_per_customer=most)
    return rows


def refused(call, most: int = 2) -> None:
    with pytest.raises(LimitReached) as refusal:
        call()
    assert (refusal.value.limit, refusal.value.maximum) == ("max_per_customer", most)


def test_units_of_all_warehouses_count_held_or_bought_and_what_was_given_back_does_not() -> None:
    one, two = limited(3, "blr-01", "del-01")
    bought = hold(one, 2)
    services.confirm(reservation_id=bought.pk)
    refused(lambda: hold(two, 2), 3)
    held = hold(two, 1)
    refused(lambda: hold(one, 1), 3)
    hold(one, 3, "session:b")
    services.release(reservation_id=held.pk)
    lapsed = hold(two, 1)
    pass_time(601, pk=lapsed.pk)
    hold(one, 1)
    # Of another product none of these count.
    reef = stocked(9, product="reef")
    Product.objects.update(max_per_customer=3)
    hold(reef, 3)


def test_more_of_a_hold_is_refused_and_less_never_nor_to_pay_for_it() -> None:
    (row,) = limited(2)
    held = hold(row, 2)
    refused(lambda: services.change(reservation_id=held.pk, quantity=3))
    Product.objects.update(max_per_customer=1)
    services.renew(reservation_id=held.pk)
    services.confirm(reservation_id=held.pk)


def test_all_browsers_of_an_account_are_one_customer() -> None:
    row, other = limited(2, "blr-01", "del-01")
    services.confirm(reservation_id=hold(row, 1, "visitor:a").pk)
    services.adopt(account="user:7", visitor="visitor:a")
    hold(row, 1, "visitor:b")

    def asks(*names: str) -> Reservation:
        holder = Holder(names[0], others=names[1:])
        return services.reserve_in(rows=(other.pk,), quantity=1, holder=holder)

    # With this browser, though nobody adopted it, and on another device.
    refused(lambda: asks("user:7", "visitor:b"))
    services.adopt(account="user:7", visitor="visitor:b")
    refused(lambda: asks("user:7"))
    # In a browser in which the session has ended.
    refused(lambda: asks("visitor:a"))
    asks("visitor:c")


def test_commands_of_one_batch_count_for_each_other() -> None:
    one, two = limited(3, "blr-01", "del-01")
    held = hold(one, 1, "visitor:a")
    mine = Holder("user:7", others=("visitor:a",))
    rows = tuple(sorted((one.pk, two.pk)))
    outcomes = _transact(
        [
            Reserve(rows=(two.pk,), quantity=2, holder=Holder("user:7")),
            Adopt(rows=rows, reservation_ids=(held.pk,), account="user:7", visitor="visitor:a"),
            Reserve(rows=(one.pk,), quantity=1, holder=Holder("visitor:a")),
            Reserve(rows=(two.pk,), quantity=2, holder=mine),
        ],
        Patience.NONE,
    )
    names = [type(outcome).__name__ for outcome in outcomes]
    # The last asks for what it holds. A browser that is called by its own name is not known to be
    # the account before the adoption is committed.
    assert names == ["Reservation", "Bag", "Reservation", "Reservation"]
    refused(lambda: hold(stocked(9, warehouse="bom-01"), 1, "visitor:a"), 3)


def test_a_product_without_the_limit_costs_no_statement_more_and_one_with_it_reads_little() -> None:
    (row,) = limited(500)
    Product.objects.update(max_per_customer=None)
    with CaptureQueriesContext(connection) as plain:
        hold(row, 1, "user:1")
    assert COUNTS not in str(plain.captured_queries)
    history = """
        INSERT INTO reservations_reservation
            (id, inventory_id, quantity, unit_paise, name, status, holder, address, created_at,
             expires_at, ended_at, renewals)
        SELECT gen_random_uuid(), %s, 1, 1, 'Tidal', CASE WHEN n %% 9 = 0 THEN 'confirmed'
            ELSE 'expired' END, 'user:' || n %% 3, '', made_at, made_at + interval '1 h', made_at, 0
        FROM generate_series(1, 3000) AS n CROSS JOIN LATERAL (
            SELECT now() - n * interval '1 h' AS made_at
        ) AS clock
    """
    with connection.cursor() as cursor:
        cursor.execute(history, [row.pk])
        # As in a shop in use: without statistics any index on holders may look as good.
        cursor.execute("ANALYZE reservations_reservation")
    Product.objects.update(max_per_customer=3)
    before = rows_read("reservations_reservation")
    hold(row, 1, "user:8")
    assert rows_read("reservations_reservation") - before < 10
    # As many as the customer bought, of 3,000 that ended.
    before = rows_read("reservations_reservation")
    refused(lambda: hold(stocked(1, warehouse="del-01"), 1, "user:0"), 3)
    assert rows_read("reservations_reservation") - before < 400


def refused_by_api(client: Client, body: dict[str, object], path: str = "", most: int = 1) -> str:
    """What the API says when it refuses to hold some, or to do something else."""
    api = Client(headers={"X-CSRFToken": client.cookies["csrftoken"].value})
    api.cookies = client.cookies
    refusal = api.post(f"/api/reservations{path}", body, content_type="application/json")
    assert refusal.status_code == 409
    told = refusal.json()
    limit = (told["code"], told["limit"], told["maximum"])
    assert limit == ("limit_reached", "max_per_customer", most)
    return str(told["detail"])


def offered(row: Inventory, client: Client, quantity: int = 1) -> Reservation:
    """An offer of the waiting list, whose link this browser opened."""
    most = Product.objects.get().max_per_customer
    Product.objects.update(max_per_customer=None)
    held = all_held(row)
    Product.objects.update(max_per_customer=most)
    waiting(row, warehouse_id=row.warehouse_id, quantity=quantity)
    entry = given_back(held)
    opened(entry, client)
    return offer_of(entry)


@pytest.mark.parametrize("bought", [True, False])
def test_an_offer_counts_for_its_browser_and_its_account(client, bought) -> None:
    row, other = limited(1, "blr-01", "del-01")
    offer = offered(row, client)
    account = Client()
    account.force_login(User.objects.create_user("asha", email=EMAIL))
    if bought:
        assert press(client, offer, "confirm").status_code == 303
    for browser in (client, account):
        answer = press_reserve(browser, other)
        assert answer.status_code == 409
        assert WORDS in answer.content.decode()
        assert WORDS in refused_by_api(browser, {"product": "tidal", "quantity": 1})
    holding(Client(), other)


def test_a_hold_cannot_be_made_more_beside_an_offer(client) -> None:
    row, other = limited(2, "blr-01", "del-01")
    hold = holding(client, other)
    offered(row, client)
    answer = press_reserve(client, other, 2, held=f"{other.pk}:1")
    assert answer.context["refusal"].code == "limit_reached"
    refused_by_api(client, {"quantity": 2}, f"/{hold.pk}/change", most=2)


def test_an_offer_to_somebody_who_has_enough_cannot_be_ordered(client) -> None:
    row, other = limited(1, "blr-01", "del-01")
    hold = holding(client, other)
    offer = offered(row, client)
    answer = press(client, offer, "confirm")
    assert answer.status_code == 409
    assert WORDS in answer.content.decode()
    assert press(client, hold, "confirm").status_code == 303
    assert press(client, offer, "confirm").status_code == 409
    refused_by_api(client, {}, f"/{offer.pk}/confirm")
    Product.objects.update(max_per_customer=2)
    assert press(client, offer, "confirm").status_code == 303


def test_a_lower_limit_takes_no_offer_back(client) -> None:
    (row,) = limited(2)
    offer = offered(row, client, 2)
    Product.objects.update(max_per_customer=1)
    assert press(client, offer, "confirm").status_code == 303


def test_pages_and_api_say_it_before_and_when_they_refuse(client) -> None:
    (row,) = limited(2)
    assert "At most 2 for each customer." in client.get("/p/tidal/").content.decode()
    form = client.get("/p/tidal/reserve/").content.decode()
    assert 'max="2"' in form
    assert "At most 2 for each customer, with those that you hold now" in form
    assert client.get("/api/products/tidal").json()["max_per_customer"] == 2
    press(client, holding(client, row, 2), "confirm")
    answer = press_reserve(client, row, 1)
    assert answer.status_code == 409
    said = "At most 2 of it for each customer, with those that you hold now and those that you"
    assert said in answer.content.decode()
    assert said in refused_by_api(client, {"product": "tidal", "quantity": 1}, most=2)
    Product.objects.update(max_per_customer=None)
    assert "for each customer" not in client.get("/p/tidal/").content.decode()
    assert Reservation.objects.count() == 1
