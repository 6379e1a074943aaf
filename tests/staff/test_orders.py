"""Staff's side of orders: found, packed, sent parcel by parcel, delivered, refunded, cancelled."""

import re
from html import unescape
from typing import Any
from urllib.parse import urljoin
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now
from django.test import Client
from django.utils.html import escape
from django.utils.timezone import localtime

from allo.outbox.letters import letter
from allo.outbox.models import Message
from checkout import mail
from checkout.exceptions import NotThatState, RefundedAlready
from checkout.models import Order, OrderEvent, OrderLine, Refund
from checkout.orders import cancelling, fulfilling, links
from checkout.orders.fulfilling import Part
from checkout.orders.restocking import comebacks, restock
from checkout.orders.showing import Shown
from inventory.exceptions import AlreadyDone
from inventory.models import StockMovement
from inventory.staff import filters
from reservations.models import Reservation
from tests.checkout.orders import SELLER, brought, charged, move, opened, refund
from tests.reservations.test_verbs import hold
from tests.shopping import Page, holding, press, said
from tests.staff.people import EVERYONE, signed_in
from tests.stock import stocked

pytestmark = pytest.mark.django_db

LIST, CONSOLE = "/admin/checkout/order/", "/admin/reservations/reservation/"
TWO = 770_000
ALREADY_BACK = "These units were put back already. Nothing was put back twice."


@pytest.fixture
def manager() -> Client:
    return signed_in("Manager")


@pytest.fixture
def order() -> Order:
    """Paid: two parcels, of one unit each."""
    here, there = stocked(5), stocked(5, product="bowl", warehouse="del-01")
    return brought(opened(hold(here), hold(there)), "paid")


def bought(**form: str) -> Order:
    """A jug on delivery, by the shop's own pages."""
    shopper = Client()
    press(shopper, holding(shopper, stocked(5, product="jug")), "confirm", **form)
    return Order.objects.latest("opened_at")


def do(client: Client, verb: str, *orders: Order, **form: Any) -> Page:
    """Sends the question's form as it was shown, with these answers."""
    ids = ",".join(str(order.pk) for order in orders)
    asked = client.get(f"{LIST}{verb}/", {"id": ids, "back": LIST})
    assert asked.status_code == 200, asked.content.decode()
    hidden = {field.name: field.value() for field in asked.context["form"].hidden_fields()}
    data = {"id": [order.pk for order in orders], **hidden, **form}
    return client.post(f"{LIST}{verb}/?back={LIST}", data, follow=True)


def state(order: Order) -> str:
    return Order.objects.get(pk=order.pk).state


def listed(client: Client, **query: str) -> list[str]:
    response = client.get(LIST, query)
    assert response.status_code == 200
    return [row.number for row in response.context["cl"].result_list]


# --- the list -----------------------------------------------------------------------------------


def test_the_list_begins_with_what_was_paid_first_and_is_to_be_packed(manager) -> None:
    orders = [brought(opened(hold(stocked(5, product=f"v-{n}"))), "paid") for n in range(3)]
    move(orders[1], "packed")
    assert listed(manager) == [orders[0].number, orders[2].number]
    assert listed(manager, state="packed") == [orders[1].number]
    assert len(listed(manager, state="any")) == 3
    assert listed(manager, state="delivered") == listed(manager, state="cancelled") == []


def test_what_is_under_way_is_narrowed_by_warehouse_and_provider(manager, order) -> None:
    other = bought()
    assert listed(manager, warehouse="del-01") == [order.number]
    assert listed(manager, provider="none") == [other.number]
    assert listed(manager, provider="bank") == [order.number]
    assert len(listed(manager, warehouse="nowhere")) == 2
    page = manager.get(LIST, {"state": "delivered"}).content.decode()
    assert "Paid on delivery" not in page


def test_an_order_is_found_by_all_that_people_have_of_it(manager, order) -> None:
    ravi: dict[str, Any] = {"name": "Ravi", "email": "ravi@example.org", "phone": "+919845000000"}
    brought(opened(hold(stocked(5, product="other")), **ravi), "shipped")
    Order.objects.filter(pk=order.pk).update(
        state="packed", packed_at=order.paid_at, invoice_number="AL26-27/000123", **SELLER
    )
    reservation = order.order_lines.get(name="Bowl").reservation
    ship(manager, order, "blr-01", tracking="BD 1-a")
    plain = order.number.removeprefix("AL-").replace("-", " ").lower()
    for words in (
        order.number, plain, f"al{plain}", "ASHA@example.org", "asha r", str(reservation.pk),
        str(reservation.pk)[:8], "al26-27/000123", "98450 12345", "+91 98450-12345", "098450 12345",
        "bd 1-A",
    ):  # fmt: skip
        assert listed(manager, q=words) == [order.number], words
    others = ("98450 12346", "BD 1", "BD")
    for words in ("rao", "AL-0000-0000", "'; drop", "%", "x" * 300, "00000000", *others):
        assert listed(manager, q=words) == [], words


def test_a_search_finds_all_orders_of_one_tracking_number(manager, order, monkeypatch) -> None:
    monkeypatch.setattr(filters, "VALUES_AT_MOST", 1)
    orders = [order, bought()]
    for each in orders:
        do(manager, "pack", each)
        ship(manager, each, "blr-01", tracking="BD 7")
    assert sorted(listed(manager, q="bd 7")) == sorted(each.number for each in orders)


def test_the_list_says_what_was_refunded_and_how_much_of_it_has_left(manager, order) -> None:
    do(manager, "refund", order, rupees="38.50", reason="A scratch")
    do(manager, "pack", order)
    ship(manager, order, "blr-01")
    page = manager.get(LIST, {"state": "packed"}).content.decode()
    assert "₹\N{NO-BREAK SPACE}38.50" in page
    assert "1 of 2 sent" in page


# --- to the buyer -------------------------------------------------------------------------------


def ship(client: Client, order: Order, warehouse: str, **form: str) -> Page:
    row = order.order_lines.get(reservation__inventory__warehouse__code=warehouse)
    place = row.reservation.inventory.warehouse_id
    return do(client, "ship", order, warehouse=place, **{"carrier": "Blue Dart", **form})


def events(order: Order) -> list[tuple[str, str]]:
    happened = OrderEvent.objects.filter(order=order).order_by("pk")
    return [(event.what, event.note) for event in happened if event.who]


def test_an_order_of_two_warehouses_is_shipped_with_its_second_parcel(manager, order) -> None:
    do(manager, "pack", order, note="Fragile")
    ship(manager, order, "blr-01", tracking="BD 1")
    assert state(order) == "packed"
    ship(manager, order, "del-01", carrier="Delhivery", tracking="DL 2", note="Late")
    assert state(order) == "shipped"
    do(manager, "deliver", order)
    assert state(order) == "delivered"
    assert events(order) == [
        ("pack", "Fragile"), ("ship", "From blr-01."), ("ship", "From del-01. Late"),
        ("deliver", ""),
    ]  # fmt: skip
    lines = order.order_lines.order_by("pk").values_list("carrier", "tracking")
    assert list(lines) == [("Blue Dart", "BD 1"), ("Delhivery", "DL 2")]
    keys = Message.objects.filter(kind="shipped").order_by("pk").values_list("key", flat=True)
    assert list(keys) == [f"shipped:{order.pk}:blr-01", f"shipped:{order.pk}:del-01"]
    logged = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    assert [str(words) for words in logged] == [
        "Packed: Fragile", "Sent from blr-01", "Sent from del-01: Late", "Delivered",
    ]  # fmt: skip


def test_a_parcel_leaves_once(manager, order) -> None:
    do(manager, "pack", order)
    ship(manager, order, "blr-01")
    page = ship(manager, order, "blr-01", carrier="Another")
    assert (page.status_code, state(order)) == (422, "packed")
    assert "This parcel has left already." in page.content.decode()
    assert Message.objects.filter(kind="shipped").count() == 1


def test_what_is_collected_is_handed_over(manager) -> None:
    order = bought(delivery="collect")
    do(manager, "pack", order)
    asked = manager.get(f"{LIST}ship/", {"id": order.pk}).content.decode()
    assert f"{order.number}</span> is packed." in asked
    do(manager, "hand-over", order)
    assert state(order) == "delivered"
    assert not Message.objects.filter(kind="shipped").exists()


def test_several_are_packed_at_once_and_the_others_are_named(manager, order) -> None:
    other, away = bought(), brought(opened(hold(stocked(5, product="vase"))), "shipped")
    ids = [order.pk, other.pk, away.pk]
    begun = manager.post(
        LIST + "?warehouse=", {"action": "pack", "_selected_action": ids}, follow=True
    )
    assert "Pack these 2 orders?" in begun.content.decode()
    back = begun.context["back"]
    asked = manager.get(f"{LIST}pack/", {"id": ",".join(map(str, ids))}).content.decode()
    assert f"{away.number}</span> is shipped." in asked
    done = manager.post(begun.redirect_chain[-1][0], {"id": ids, "note": ""}, follow=True)
    assert done.redirect_chain[-1][0] == back
    assert [state(each) for each in (order, other, away)] == ["packed", "packed", "shipped"]


def test_orders_packed_since_they_were_ticked_are_named(manager, order) -> None:
    other = bought()
    ticked = {"action": "pack", "_selected_action": [order.pk, other.pk]}
    do(manager, "pack", order)
    some = manager.post(LIST, ticked, follow=True)
    assert some.context["title"] == f"Pack order {other}?"
    assert f"{order.number}</span> is packed." in some.content.decode()
    do(manager, "pack", other)
    none = manager.post(LIST, ticked, follow=True)
    assert none.context["title"] == "Nothing to pack"
    for gone in (order, other):
        assert f"{gone.number}</span> is packed." in none.content.decode()
    empty = manager.post(LIST, {**ticked, "select_across": "1"}, follow=True)
    assert empty.redirect_chain == [(LIST, 302)]
    assert said(empty) == "Nothing is left in this list."


def test_whoever_comes_second_is_told_and_does_nothing(manager, order) -> None:
    """Both opened the question when it was paid."""
    do(manager, "pack", order)
    page = manager.post(
        f"{LIST}cancel/", {"id": order.pk, "seen": "paid", "reason": "Late"}, follow=True
    )
    at = localtime(order.order_events.get(what="pack").at)
    packed = f"Last step: pack, by manager, {at:%-d %b %Y, %H:%M}."
    changed = f"{order} was not cancelled. It changed meanwhile: it is packed now. {packed}"
    assert said(page) == changed
    assert state(order) == "packed"
    assert not StockMovement.objects.filter(reason="returned").exists()
    again = signed_in("Packer").post(f"{LIST}pack/", {"id": order.pk})
    assert again.context["title"] == "Nothing to pack"
    assert f"{order.number}</span> is packed. {packed}" in again.content.decode()
    asked = manager.get(f"{LIST}refund/?id={order.pk}").content.decode()
    assert f'<h1>Refund order <span class="number">{order.number}</span>?</h1>' in asked
    assert [what for what, _ in events(order)] == ["pack"]


def test_a_step_that_is_sent_twice_says_that_it_was_done(manager, order) -> None:
    other = brought(opened(hold(stocked(5, product="vase"))), "paid")
    collected = bought(delivery="collect")
    place = order.order_lines.get(name="Tidal").reservation.inventory.warehouse_id
    parcel = {"warehouse": place, "carrier": "Blue Dart", "tracking": " BD 1", "note": ""}
    packer = signed_in("Packer")
    for verb, orders, form, words in (
        ("pack", (order, other), {"note": "Fragile "}, "These orders were packed already."),
        ("pack", (collected,), {}, "This order was packed already."),
        ("ship", (order,), parcel, "This parcel was sent already."),
        ("hand-over", (collected,), {}, "This order was handed over already."),
    ):
        data = {"id": [each.pk for each in orders], **form}
        assert manager.post(f"{LIST}{verb}/", data).status_code == 303
        happened = OrderEvent.objects.count()
        twice = manager.post(f"{LIST}{verb}/", data, follow=True)
        assert words in said(twice)
        # Another form, or another person, did not do it.
        for client, another in ((manager, {"note": "Other"}), (packer, {})):
            page = client.post(f"{LIST}{verb}/", {**data, **another}).content.decode()
            assert "by manager" in page, (verb, another)
        assert OrderEvent.objects.count() == happened
    ship(manager, order, "del-01")
    for _ in range(2):
        page = manager.post(f"{LIST}deliver/", {"id": order.pk}, follow=True)
    assert "This order was delivered already." in said(page)


# --- back ---------------------------------------------------------------------------------------


def test_money_goes_back_by_line_or_amount_and_never_more_than_is_left(manager, order) -> None:
    vase = order.order_lines.get(name="Tidal")
    do(manager, "refund", order, **{f"units-{vase.pk}": 1}, reason="Broken")
    refund = Refund.objects.get()
    assert (refund.line, refund.units, refund.amount) == (vase, 1, 385_000)
    assert (refund.reason, refund.actor) == ("Broken", refund.actor)
    asked = manager.get(f"{LIST}refund/", {"id": order.pk})
    assert f"units-{vase.pk}" not in asked.context["form"].fields
    page = do(manager, "refund", order, rupees="3850.01", reason="Late")
    assert page.status_code == 422
    assert "Only ₹\N{NO-BREAK SPACE}3,850 of it can still be refunded." in page.content.decode()
    do(manager, "refund", order, rupees="3850", reason="Late")
    assert Refund.objects.count() == 2
    assert manager.get(f"{LIST}refund/", {"id": order.pk}).context["title"] == "Nothing to refund"


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"rupees": "10"}, "Give the reason."),
        ({"rupees": "10", "reason": "\u200b"}, "has no visible character"),
        ({"reason": "x"}, "Give the units that are refunded, or an amount."),
        ({"rupees": "-1", "reason": "x"}, "At least 0.01."),
        ({"rupees": "NaN", "reason": "x"}, "This is not a number."),
        ({"rupees": "1.005", "reason": "x"}, "At most 2 digits after the point."),
        ({"units": 2, "reason": "x"}, "At most 1."),
        ({"units": 1, "rupees": "1", "reason": "x"}, "Give units or an amount, not both."),
    ],
)
def test_a_wrong_refund_says_what_is_wrong_and_keeps_what_was_typed(
    manager, order, answers, words
) -> None:
    line = order.order_lines.first()
    form = {f"units-{line.pk}" if name == "units" else name: v for name, v in answers.items()}
    page = do(manager, "refund", order, **form)
    assert page.status_code == 422
    assert words in page.content.decode()
    assert not Refund.objects.exists()


@pytest.mark.parametrize("rupees", ["100", "7700"])
def test_a_refund_that_is_sent_twice_is_made_once(manager, order, rupees) -> None:
    form = {"id": order.pk, "seen_left": TWO, "key": uuid4(), "rupees": rupees, "reason": "Late"}
    manager.post(f"{LIST}refund/", form)
    assert manager.post(f"{LIST}refund/", form).status_code == 303
    assert "This refund was made already. Nothing was refunded twice." in said(manager.get(LIST))
    assert Refund.objects.count() == 1


def test_a_refund_that_waited_for_itself_is_made_once(manager, order) -> None:
    key, actor = uuid4(), User.objects.get()

    def send() -> None:
        parts = [Part(100)]
        fulfilling.refund(order, parts=parts, seen_left=TWO, reason="Late", actor=actor, key=key)

    send()
    with pytest.raises(RefundedAlready):
        send()


def test_a_refund_that_another_overtakes_is_not_made(manager, order) -> None:
    form = {"id": order.pk, "seen_left": TWO, "rupees": "100", "reason": "Late"}
    manager.post(f"{LIST}refund/", {**form, "key": uuid4()})
    page = manager.post(f"{LIST}refund/", {**form, "key": uuid4()})
    assert page.status_code == 422
    words = "Some of it was refunded meanwhile: ₹\N{NO-BREAK SPACE}7,600 can still be refunded."
    assert words in page.content.decode()
    assert 'value="760000"' in page.content.decode()
    assert Refund.objects.count() == 1


def test_a_cancelled_order_is_back_on_the_shelf_once_and_its_money_on_its_way(
    manager, order
) -> None:
    form = {"id": order.pk, "seen": "paid", "reason": "The buyer wrote "}
    manager.post(f"{LIST}cancel/", form)
    assert state(order) == "cancelled"
    twice = manager.post(f"{LIST}cancel/", form, follow=True)
    assert said(twice).endswith("This order was cancelled already. Nothing was done twice.")
    other = signed_in("Support").post(f"{LIST}cancel/", form)
    assert other.context["title"] == "Nothing to cancel"
    again = manager.post(f"{LIST}cancel/", {"id": order.pk, "seen": "paid", "reason": "Again"})
    assert again.context["title"] == "Nothing to cancel"
    returned = StockMovement.objects.filter(reason="returned")
    assert sorted(returned.values_list("delta", "note")) == [(1, "The buyer wrote")] * 2
    assert Refund.objects.get().amount == TWO
    assert Message.objects.filter(kind="order_cancelled").count() == 1
    assert LogEntry.objects.latest("pk").change_message == "Cancelled: The buyer wrote"


def refund_vase(client: Client, order: Order, units: int = 1) -> OrderLine:
    line = order.order_lines.get(name="Tidal")
    do(client, "refund", order, **{f"units-{line.pk}": units}, reason="Broken")
    return line


def returned() -> list[tuple[int, str]]:
    moves = StockMovement.objects.filter(reason="returned").order_by("pk")
    return list(moves.values_list("delta", "note"))


def test_refunded_units_go_back_on_the_shelf_once_they_are_there(manager) -> None:
    row = stocked(9)
    order = brought(opened(hold(row, 4), hold(stocked(1, product="bowl"))), "paid")
    assert manager.get(f"{LIST}restock/", {"id": order.pk}).context["title"] == "Nothing to restock"
    units = f"units-{refund_vase(manager, order, 3).pk}"
    form = {"id": order.pk, "seen_returned": 0, units: 1, "note": "Box 7"}
    assert manager.post(f"{LIST}restock/", form).status_code == 303
    # Sent twice: nothing more happens, and the page says so.
    twice = manager.post(f"{LIST}restock/", form, follow=True)
    assert said(twice) == f"Restocked: {order}. {ALREADY_BACK}"
    # What another form says, or another person, was not done.
    support = signed_in("Support")
    for client, another in ((manager, {units: 2}), (support, {})):
        page = client.post(f"{LIST}restock/", {**form, **another})
        assert page.status_code == 422
        assert "Units of it were put back meanwhile." in page.content.decode()
    assert returned() == [(1, "Box 7")]
    assert do(manager, "restock", order, **{units: 3}).status_code == 422
    do(manager, "restock", order, **{units: 2})
    assert returned() == [(1, "Box 7"), (2, "")]
    row.refresh_from_db()
    assert (row.total_units, row.reserved_units) == (8, 0)
    # What is left goes back with the order.
    do(manager, "cancel", order, reason="Late")
    assert returned()[2:] == [(1, "Late"), (1, "Late")]


def test_units_of_an_order_refunded_by_amount_go_back_once_each(manager) -> None:
    order = brought(opened(hold(stocked(9), 3)), "packed")
    do(manager, "refund", order, rupees="20.00", reason="It came back")
    # What has not left goes back by cancelling.
    assert "restock/?id=" not in manager.get(f"{LIST}{order.pk}/change/").content.decode()
    move(order, "shipped")
    assert "restock/?id=" in manager.get(f"{LIST}{order.pk}/change/").content.decode()
    line = order.order_lines.get()
    units = f"units-{line.pk}"
    asked = manager.get(f"{LIST}restock/", {"id": order.pk})
    assert "At most 3: the refund named no units" in asked.content.decode()
    form = {"id": order.pk, "seen_returned": 0, units: 2, "note": "Box 7"}
    assert manager.post(f"{LIST}restock/", form).status_code == 303
    twice = manager.post(f"{LIST}restock/", form, follow=True)
    assert said(twice).endswith(ALREADY_BACK)
    assert returned() == [(2, "Box 7")]
    # Units that are refunded by name later are not counted once more.
    do(manager, "refund", order, **{f"units-{line.pk}": 2}, reason="It came back")
    do(manager, "restock", order, **{units: 1})
    assert returned() == [(2, "Box 7"), (1, "")]
    assert manager.get(f"{LIST}restock/", {"id": order.pk}).context["title"] == "Nothing to restock"


def test_money_that_bought_nothing_and_went_back_lets_no_unit_be_put_back(manager) -> None:
    order = brought(opened(hold(stocked(9), 3)), "shipped")
    twice = charged(order, "give_back")
    refund(twice, twice.amount, state="done", reference="re_1")
    assert "restock/?id=" not in manager.get(f"{LIST}{order.pk}/change/").content.decode()
    form = {"id": order.pk, "seen_returned": 0, f"units-{order.order_lines.get().pk}": 3}
    page = manager.post(f"{LIST}restock/", form)
    assert page.context["title"] == "Nothing to restock"
    assert returned() == []


def test_a_unit_goes_back_after_the_refund_of_another_has_failed(manager) -> None:
    order = brought(opened(hold(stocked(9), 2)), "shipped")
    units = f"units-{refund_vase(manager, order).pk}"
    do(manager, "restock", order, **{units: 1})
    Refund.objects.update(state="failed")
    do(manager, "refund", order, rupees="20.00", reason="It came back")
    do(manager, "restock", order, **{units: 1})
    assert returned() == [(1, ""), (1, "")]
    assert order.order_lines.get().returned_units == 1


@pytest.mark.parametrize("back", ["before all", "after the other has left"])
def test_a_parcel_whose_units_are_all_back_is_not_sent(manager, order, back) -> None:
    do(manager, "pack", order)
    if back != "before all":
        ship(manager, order, "del-01")
        assert state(order) == "packed"
    units = f"units-{refund_vase(manager, order).pk}"
    do(manager, "restock", order, **{units: 1})
    if back == "before all":
        [slip] = manager.get(f"{LIST}slip/", {"id": order.pk}).context["slips"]
        assert (slip.warehouse.code, slip.parcel, slip.parcels) == ("del-01", 1, 1)
        assert ship(manager, order, "blr-01").status_code == 422
        ship(manager, order, "del-01")
    assert state(order) == "shipped"
    assert order.order_lines.get(name="Tidal").shipped_at is None
    mailed = Message.objects.get(kind="shipped")
    assert mailed.key.endswith("del-01")
    text = str(letter(mailed).body)
    assert "1 × Bowl" in text
    assert "Tidal" not in text
    assert "The rest" not in text
    assert [told.lines[0][0].name for told in Shown(order).parcels] == ["Bowl"]


def test_what_was_back_before_its_parcel_left_is_not_in_it(manager) -> None:
    order = brought(opened(hold(stocked(9), 4)), "packed")
    units = f"units-{refund_vase(manager, order, 3).pk}"
    do(manager, "restock", order, **{units: 1})
    page = manager.get(f"{LIST}slip/", {"id": order.pk})
    [(_, *numbers)] = page.context["slips"][0].lines
    assert numbers == [3, 2]  # in it, and refunded of these
    assert "3 × Tidal" in manager.get(f"{LIST}ship/", {"id": order.pk}).content.decode()
    ship(manager, order, "blr-01")
    assert "3 × Tidal" in str(letter(Message.objects.get(kind="shipped")).body)
    # What comes back later was in it.
    do(manager, "restock", order, **{units: 2})
    [parcel] = Shown(order).parcels
    assert [number for _, number in parcel.lines] == [3]


def test_its_buyer_reads_only_of_units_that_are_not_back_on_the_shelf(manager) -> None:
    order = brought(opened(hold(stocked(9), 2), hold(stocked(5, product="bowl"))), "paid")
    vase, bowl = refund_vase(manager, order), order.order_lines.get(name="Bowl")
    do(manager, "refund", order, **{f"units-{bowl.pk}": 1}, reason="Broken")
    do(manager, "restock", order, **{f"units-{vase.pk}": 1, f"units-{bowl.pk}": 1})
    page = Client().get(links.with_key(links.path_to(order), order), follow=True)
    body = " ".join(page.content.decode().split())
    assert "> 1 × Tidal has left the shelf in" in body
    assert "packs your piece." in body


def test_an_order_whose_units_are_all_back_has_nothing_to_ship(manager) -> None:
    order = brought(opened(hold(stocked(9))), "packed")
    units = f"units-{refund_vase(manager, order).pk}"
    do(manager, "restock", order, **{units: 1})
    page = manager.get(f"{LIST}{order.pk}/change/").content.decode()
    assert "Cancel it: all of its units are back on the shelf." in page
    assert "ship/?id=" not in page
    assert "cancel/?id=" in page


@pytest.mark.parametrize(("state", "act"), [("paid", "pack"), ("packed", "hand_over")])
def test_what_is_collected_and_all_back_is_packed_and_handed_to_nobody(manager, state, act) -> None:
    address: dict[str, Any] = {"line1": "", "city": "", "region": "", "pin": ""}
    order = brought(opened(hold(stocked(9)), **address), state)
    units = f"units-{refund_vase(manager, order).pk}"
    do(manager, "restock", order, **{units: 1})
    page = manager.get(f"{LIST}{order.pk}/change/").content.decode()
    assert "Cancel it: all of its units are back on the shelf." in page
    assert f"{act.replace('_', '-')}/?id=" not in page
    with pytest.raises(NotThatState), transaction.atomic():
        getattr(fulfilling, act)(order, actor=User.objects.get())
    theirs = Client().get(links.with_key(links.path_to(order), order), follow=True)
    assert "Nothing is left of&nbsp;it." in theirs.content.decode()
    assert "What happens next" not in theirs.content.decode()


def test_of_two_who_saw_the_same_one_puts_units_back(manager, order) -> None:
    refund_vase(manager, order)
    actor = User.objects.get()
    seen = {one: 1 for one in comebacks(order) if one.most}
    restock(order, units=seen, actor=actor)
    with pytest.raises(AlreadyDone), transaction.atomic():
        restock(order, units=seen, actor=actor)
    assert returned() == [(1, "")]


def test_a_cancel_that_another_restock_overtakes_puts_nothing_back_twice(
    manager, order, monkeypatch
) -> None:
    line = refund_vase(manager, order)
    monkeypatch.setattr(
        cancelling, "_lock", lambda _: OrderLine.objects.filter(pk=line.pk).update(returned_units=1)
    )
    with pytest.raises(NotThatState):
        cancelling.cancel(order, reason="Late")
    assert (state(order), returned()) == ("paid", [])


def test_a_wrong_number_of_a_parcel_is_corrected_on_the_record(manager, order) -> None:
    do(manager, "pack", order)
    asked = manager.get(f"{LIST}correct/", {"id": order.pk})
    assert asked.context["title"] == "Nothing to correct"
    ship(manager, order, "blr-01", tracking="BD 1")
    line = order.order_lines.get(name="Tidal")
    right = {"warehouse": line.reservation.inventory.warehouse_id, "carrier": "Blue Dart"}
    same = do(manager, "correct", order, **right, tracking="BD 1")
    assert "That is what this parcel says already." in same.content.decode()
    form = {"id": order.pk, "seen_corrections": 0, **right, "note": "Typed wrong"}
    assert manager.post(f"{LIST}correct/", {**form, "tracking": "BD 2"}).status_code == 303
    second = manager.post(f"{LIST}correct/", {**form, "tracking": "BD 3"})
    assert "Somebody corrected a parcel of it meanwhile." in second.content.decode()
    with pytest.raises(NotThatState):
        fulfilling.correct(
            order,
            warehouse=line.reservation.inventory.warehouse,
            carrier="Blue Dart",
            seen_corrections=0,
            actor=User.objects.get(),
        )
    line.refresh_from_db()
    assert (line.carrier, line.tracking, state(order)) == ("Blue Dart", "BD 2", "packed")
    assert events(order)[2:] == [("correct", "From blr-01: it was Blue Dart BD 1. Typed wrong")]
    assert LogEntry.objects.latest("pk").change_message == "Corrected from blr-01: Typed wrong"
    [message] = Message.objects.filter(kind="parcel_corrected")
    sent = letter(message)
    assert sent.subject == f"The right tracking number: order {order}"
    assert "by Blue Dart, number BD 2." in sent.body
    assert message in mail.messages_of(order)


@pytest.mark.parametrize("far", ["one parcel", "shipped"])
def test_what_has_left_is_not_cancelled(manager, order, far) -> None:
    do(manager, "pack", order)
    for warehouse in ("blr-01", "del-01")[: 1 if far == "one parcel" else 2]:
        ship(manager, order, warehouse)
    before = state(order)
    for seen in ("packed", "shipped"):
        page = manager.post(f"{LIST}cancel/", {"id": order.pk, "seen": seen, "reason": "Late"})
        assert page.context["title"] == "Nothing to cancel"
    assert state(order) == before
    assert not StockMovement.objects.filter(reason="returned").exists()


# --- its page and its slip ----------------------------------------------------------------------


def test_an_orders_page_tells_all_of_it(manager) -> None:
    order = bought(name="<img onerror=x>")
    do(manager, "refund", order, rupees="100", reason="A scratch")
    do(manager, "pack", order)
    page = manager.get(f"{LIST}{order.pk}/change/").content.decode()
    for words in (
        "Send the parcel from blr-01.", "12 MG Road, Bengaluru 560001, Karnataka",
        "asha@example.org", "To collect on delivery", "₹\N{NO-BREAK SPACE}3,750",
        "A scratch", "manager", "Receipt",
        "q=asha%40example.org", escape("<img onerror=x>"), "ship/?id=", "cancel/?id=",
    ):  # fmt: skip
        assert words in page, words
    assert "<img onerror" not in page
    assert "pack/?id=" not in page
    assert "deliver/?id=" not in page
    for state in ("shipped", "delivered"):
        move(order, state)
    page = manager.get(f"{LIST}{order.pk}/change/").content.decode()
    assert "To collect on delivery" not in page
    assert "Can be refunded" in page


def test_a_payments_page_shows_no_address_that_may_open_its_order(order) -> None:
    payment = order.payments.get()
    page = signed_in("Viewer").get(f"/admin/checkout/payment/{payment.pk}/change/")
    assert page.status_code == 200
    for address in (payment.success_url, payment.cancel_url):
        assert address not in page.content.decode()


def test_a_slip_for_each_parcel_without_prices(manager, order) -> None:
    other = bought()
    do(
        manager,
        "refund",
        order,
        **{f"units-{order.order_lines.get(name='Bowl').pk}": 1},
        reason="x",
    )
    page = manager.get(f"{LIST}slip/", {"id": f"{order.pk},{other.pk}"})
    slips = page.context["slips"]
    parcels = [
        (slip.order.number, slip.warehouse.code, slip.parcel, slip.parcels) for slip in slips
    ]
    assert parcels == [
        (order.number, "blr-01", 1, 2), (order.number, "del-01", 2, 2),
        (other.number, "blr-01", 1, 1),
    ]  # fmt: skip
    body = page.content.decode()
    assert "1 of them refunded: ask before you pack" in body
    assert "Pay on delivery: <strong>₹\N{NO-BREAK SPACE}3,850</strong>" in body
    assert body.count("₹") == 1


def test_a_reservations_page_leads_to_its_order_and_to_all_of_its_buyer(manager, order) -> None:
    line = order.order_lines.get(name="Bowl")
    page = manager.get(f"/admin/reservations/reservation/{line.reservation_id}/change/")
    body = page.content.decode()
    for words in (
        f'href="{LIST}{order.pk}/change/">{order}</a>', "₹\N{NO-BREAK SPACE}7,700 for Asha Rao",
        "Pack it:", f"{LIST}?q=asha%40example.org",
    ):  # fmt: skip
        assert words in body, words
    free = holding(Client(), stocked(1, product="free"))
    page = manager.get(f"/admin/reservations/reservation/{free.pk}/change/")
    assert "All orders of this buyer" not in page.content.decode()


def test_releasing_what_is_being_paid_says_so(manager) -> None:
    held = hold(stocked(5))
    question = "/admin/reservations/reservation/release/"
    words = "is being paid for right now. If money arrives, it goes back by itself."
    assert words not in manager.get(question, {"id": str(held.pk)}).content.decode()
    Reservation.objects.filter(pk=held.pk).update(paying_since=Now())
    assert words in manager.get(question, {"id": str(held.pk)}).content.decode()


# --- who may ------------------------------------------------------------------------------------

FULFIL, BACK, STAFF = {"Packer", "Manager"}, {"Support", "Manager"}, {*EVERYONE} - {"nobody"}
# The state to begin from, the answers, and the roles that may.
ACTIONS: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "pack": ("paid", {}, FULFIL),
    "ship": ("packed", {"carrier": "Blue Dart"}, FULFIL),
    "correct": ("shipped", {"carrier": "Blue Dart", "seen_corrections": 0}, FULFIL),
    "hand-over": ("packed", {}, FULFIL),
    "deliver": ("shipped", {}, FULFIL),
    "refund": ("paid", {"rupees": "1", "seen_left": 385_000, "key": uuid4()}, BACK),
    "restock": ("paid", {"seen_returned": 0}, BACK),
    "cancel": ("paid", {"seen": "paid"}, BACK),
}


def _facts(order: Order) -> tuple[object, ...]:
    line = order.order_lines.get()
    return state(order), Refund.objects.count(), line.carrier, line.returned_units


@pytest.mark.parametrize("role", EVERYONE)
@pytest.mark.parametrize("verb", ACTIONS)
def test_each_step_needs_its_permission(role, verb) -> None:
    before, answers, allowed = ACTIONS[verb]
    row = stocked(5)
    collected: dict[str, Any] = (
        {"line1": "", "city": "", "region": "", "pin": ""} if verb == "hand-over" else {}
    )
    order = brought(opened(hold(row), **collected), before)
    line = order.order_lines.get()
    if verb == "restock":
        refund(order.charges.get(), 385_000, line=line, units=1)
        answers = {f"units-{line.pk}": 1, **answers}
    form = {"id": order.pk, "reason": "By phone", "warehouse": row.warehouse_id, **answers}
    seen = _facts(order)
    client = signed_in(role)
    asked = client.get(f"{LIST}{verb}/", {"id": str(order.pk)})
    response = client.post(f"{LIST}{verb}/", form)
    changed = _facts(order) != seen
    assert (asked.status_code, response.status_code) == (
        (200, 303) if role in allowed else (403, 403)
    )
    assert changed == (role in allowed)
    assert OrderEvent.objects.filter(who__username=role.lower()).exists() == changed


@pytest.mark.parametrize("role", EVERYONE)
def test_everybody_with_a_role_sees_orders_slips_and_sales(role, order) -> None:
    client = signed_in(role)
    pages = (
        "",
        f"{order.pk}/change/",
        f"slip/?id={order.pk}",
        "sales/",
        "sales/csv/",
        "export/csv/",
    )
    wanted = 200 if role in STAFF else 403
    assert {client.get(LIST + page).status_code for page in pages} == {wanted}
    if role == "Packer":
        page = client.get(f"{LIST}{order.pk}/change/").content.decode()
        assert ("pack/?id=" in page, "refund/?id=" in page, 'id="order-money"' in page) == (
            True, False, False,
        )  # fmt: skip
        # It asks nothing.
        assert (">Pack …<" in page, ">Packing slip<" in page) == (True, True)
        assert "<title>Orders – " in client.get(LIST).content.decode()


WALKED = ("paid", "packed", "shipped", "delivered", "cancelled")


@pytest.fixture
def in_every_state() -> list[Order]:
    """Each refunded in part, and the packed one of two parcels, of which one has left."""
    orders = [bought()]
    for at in WALKED:
        orders.append(brought(opened(hold(stocked(9, product=at), 2)), at))
        refund(orders[-1].charges.get(), 100, line=orders[-1].order_lines.get(), units=1)
    OrderEvent.objects.create(order=orders[0], what="pack", note="Wrapped")
    return orders


def links_of(page: Page) -> dict[str, str]:
    """By the kind of page: that of one row is as that of another, and a list the same however it is
    filtered. Without files."""
    found = re.findall(r'href="([^"#]*)', page.content.decode())
    there = (urljoin(page.request["PATH_INFO"], unescape(link)) for link in found)
    plain = (link if "/?id=" in link else link.partition("?")[0] for link in there)
    pages = (link for link in plain if not re.match("/static/|/media/|.*/export/", link))
    return {re.sub(r"/[-0-9a-f]+/|=.*", "", link): link for link in pages}


@pytest.mark.parametrize("role", sorted(STAFF))
def test_no_page_about_orders_leads_where_its_reader_may_not_go(role, in_every_state) -> None:
    client = signed_in(role)
    starts = ["/admin/", f"{LIST}?state=any", f"{LIST}sales/"]
    starts += [f"{LIST}{order.pk}/change/" for order in in_every_state]
    if client.get(CONSOLE).status_code == 200:
        held = Reservation.objects.all()
        starts += [f"{CONSOLE}{reservation.pk}/change/" for reservation in held]
    links: dict[str, str] = {}
    for address in starts:
        links |= links_of(client.get(address))
    answers = {link: client.get(link).status_code for link in links.values()}
    assert {link: status for link, status in answers.items() if status != 200} == {}
    verbs = {kind for kind in links if kind.startswith(LIST) and kind.endswith("?id")}
    assert len(verbs) == 1 + 4 * (role in FULFIL) + 3 * (role in BACK)
