"""A share of one product: what one shopper, and one network, may hold unpaid."""

import pytest
from django.test import Client

from reservations import services
from reservations.engine.commands import Holder, Reserve
from reservations.engine.holder import places_around
from reservations.engine.locks import Patience
from reservations.engine.transactions import _transact
from reservations.exceptions import LimitReached
from reservations.models import Reservation
from tests.reservations.test_verbs import hold
from tests.shopping import holding, press, press_reserve
from tests.stock import pass_time, stocked, units

pytestmark = pytest.mark.django_db

NETWORK = "192.0.2.1/32"


@pytest.fixture(autouse=True)
def _a_quarter(settings) -> None:
    settings.RESERVATION_MAX_SHARE = 25


def refused(call, limit: str, most: int) -> None:
    with pytest.raises(LimitReached) as refusal:
        call()
    assert (refusal.value.limit, refusal.value.maximum) == (limit, most)


def test_one_shopper_holds_a_quarter_of_what_all_warehouses_have() -> None:
    one, two = stocked(12), stocked(8, warehouse="del-01")
    refused(lambda: hold(one, 6), "RESERVATION_MAX_SHARE", 5)
    held = hold(one, 3)
    refused(lambda: hold(two, 3), "RESERVATION_MAX_SHARE", 5)
    hold(two, 2)
    refused(lambda: services.change(reservation_id=held.pk, quantity=4), "RESERVATION_MAX_SHARE", 5)
    hold(one, 5, "session:b")
    # Of other products each has as much.
    hold(stocked(20, product="reef"), 5)
    # To pay, to renew and to hold fewer is always possible, and what is paid for is not held.
    services.change(reservation_id=held.pk, quantity=2)
    services.renew(reservation_id=held.pk)
    services.confirm(reservation_id=held.pk)
    hold(one, 2)


def test_of_a_few_units_one_shopper_may_hold_two() -> None:
    row = stocked(3)
    refused(lambda: hold(row, 3), "RESERVATION_MAX_SHARE", 2)
    hold(row, 2)


def test_the_account_and_its_browser_are_one_shopper_and_what_has_run_out_counts_no_more() -> None:
    one, two = stocked(10), stocked(10, warehouse="del-01")
    hold(one, 3, "visitor:a")
    asha = Holder("user:7", others=("visitor:a",))
    asked = lambda: services.reserve_in(rows=(two.pk,), quantity=3, holder=asha)  # noqa: E731
    refused(asked, "RESERVATION_MAX_SHARE", 5)
    pass_time(601)
    asked()


def test_all_of_one_network_hold_a_quarter_however_many_they_are() -> None:
    """As a script that is a new shopper with each call."""
    rows = [stocked(10), stocked(10, warehouse="del-01")]
    got = 0
    for n in range(32):
        try:
            hold(rows[n % 2], 1, f"anonymous:{n}", NETWORK)
        except LimitReached as refusal:
            assert (refusal.limit, refusal.maximum) == ("network_share", 5)
        else:
            got += 1
    assert got == 5
    hold(rows[0], 5, "session:elsewhere", "192.0.2.2/32")


def test_those_of_one_batch_count_for_each_other() -> None:
    row = stocked(20)
    commands = [
        Reserve(rows=(row.pk,), quantity=2, holder=Holder(f"session:{n}", NETWORK))
        for n in range(4)
    ]
    outcomes = _transact(commands, Patience.NONE)
    assert [type(outcome) for outcome in outcomes] == [
        Reservation, Reservation, LimitReached, LimitReached,
    ]  # fmt: skip
    assert units(row) == (20, 4)


@pytest.mark.parametrize(
    ("network", "places"),
    [
        ("192.0.2.77/32", ("192.0.2",)),
        ("2001:db8::/64", ("20010db8000000", "20010db80000")),
        ("2001:db8:0:1234::/64", ("20010db8000012", "20010db80000")),
        ("unknown", ()),
        ("token:7", ()),
        ("", ()),
    ],
)
def test_networks_have_in_common_what_is_around_them(network, places) -> None:
    assert places_around(network) == places


@pytest.mark.parametrize(
    ("networks", "elsewhere", "most"),
    [
        ("192.0.2.{}/32", "192.0.3.1/32", 8),
        ("2001:db8:1:12{:02x}::/64", "2001:db8:1:1300::/64", 8),
        ("2001:db8:1:{:x}00::/64", "2001:db8:2::/64", 32),
    ],
)
def test_the_networks_around_one_hold_some_times_as_much_together(
    settings, networks, elsewhere, most
) -> None:
    settings.RESERVATION_MAX_SHARE, settings.RESERVATION_MAX_UNITS_PER_ADDRESS = 0, 2
    row = stocked(100)
    for n in range(most // 2):
        held = hold(row, 2, f"visitor:{n}", networks.format(n))
    late = networks.format(most // 2)
    refused(lambda: hold(row, 1, "visitor:late", late), "networks_around", most)
    services.change(reservation_id=held.pk, quantity=1)
    here = [Holder(f"visitor:{n}", late) for n in ("x", "y")]
    commands = [Reserve(rows=(row.pk,), quantity=1, holder=holder) for holder in here]
    in_one_batch = _transact(commands, Patience.NONE)
    assert [type(outcome) for outcome in in_one_batch] == [Reservation, LimitReached]
    # What was given back or has run out counts no more.
    services.release(reservation_id=held.pk)
    hold(row, 1, "visitor:early", held.address)
    refused(lambda: hold(row, 1, "visitor:late", late), "networks_around", most)
    hold(row, 2, "visitor:elsewhere", elsewhere)
    pass_time(601, holder="visitor:0")
    hold(row, 1, "visitor:z", networks.format(0))
    settings.RESERVATION_AROUND_FACTORS = [0, 0]
    hold(row, 1, "visitor:late", late)


def test_two_shoppers_behind_one_address_both_buy() -> None:
    row = stocked(3)
    for shopper in (Client(), Client()):
        assert press(shopper, holding(shopper, row), "confirm").status_code == 303
    assert units(row) == (1, 0)


def test_a_merchants_token_has_its_own_cap_and_0_is_no_limit(settings) -> None:
    row = stocked(20)
    merchant = Holder("token:1:a", network="token:1", cap=50)
    held = services.reserve_in(rows=(row.pk,), quantity=8, holder=merchant)
    services.change(reservation_id=held.pk, quantity=9, cap=50)
    settings.RESERVATION_MAX_SHARE = 0
    hold(row, 9, "session:a", NETWORK)


def test_the_form_and_the_api_say_how_many_one_may_hold(client) -> None:
    row = stocked(12)
    form = client.get("/p/tidal/reserve/").content.decode()
    assert 'max="3"' in form
    assert "At most 3 unpaid at a time, so that others get some too." in form
    holding(client, row, 3)
    other = Client()
    answer = press_reserve(other, row, 1)
    assert answer.status_code == 409
    words = "Your network may hold at most 3 of it unpaid, so that others get some too."
    assert words in answer.content.decode()
    body = {"product": "tidal", "quantity": 4}
    told = Client().post("/api/reservations", body, content_type="application/json").json()
    assert (told["code"], told["limit"], told["maximum"]) == (
        "limit_reached",
        "RESERVATION_MAX_SHARE",
        3,
    )
    assert told["detail"].startswith("One shopper may hold at most 3 of it unpaid")
    stocked(100, warehouse="del-01")
    assert "unpaid at a time" not in other.get("/p/tidal/reserve/").content.decode()
