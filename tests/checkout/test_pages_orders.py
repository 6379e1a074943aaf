"""The page of an order paid on delivery, the list of orders, and the way to a lost one."""

import pytest
from django.contrib.auth.models import User
from django.core import mail as sent
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from allo.live.tokens import MAX_AGE_SECONDS
from allo.outbox import sending
from allo.outbox.models import Message
from allo.redis_client import redis_client
from allo.web import mail_links
from checkout.models import Order
from checkout.orders import fulfilling
from checkout.orders.cancelling import restock_and_cancel
from checkout.orders.links import key_of
from inventory.models import Warehouse
from tests.checkout.orders import brought, on_delivery, opened, refund
from tests.shopping import HTMX, Page, aged, holding
from tests.stock import stocked

pytestmark = pytest.mark.django_db


def page(client: Client, order: Order) -> str:
    return client.get(f"/orders/{order.number}/").content.decode()


def move(order: Order, state: str) -> None:
    if state == "shipped":
        parcel = {} if order.is_collected else {"carrier": "Blue Dart", "tracking": "BD 4471"}
        order.order_lines.update(shipped_at=Now(), **parcel)
    Order.objects.filter(pk=order.pk).update(state=state, **{f"{state}_at": Now()})


# Words of the page in each state, sent and collected.
SENT = {
    "paid": ("Ordered", "It is yours.", "You pay ₹\N{NO-BREAK SPACE}3,850 on delivery."),
    "packed": ("Packed", "It is packed.", "where you pay ₹\N{NO-BREAK SPACE}3,850"),
    "shipped": ("On its way", "On its&nbsp;way.", "Blue Dart"),
    "delivered": ("Delivered", "It is with&nbsp;you.", "Delivered on"),
}
COLLECTED = {
    "paid": ("Ordered", "It is yours.", "You pay ₹\N{NO-BREAK SPACE}3,850 when you collect it."),
    "packed": ("Ready to be collected", "Ready for&nbsp;you.", "waits for you at the"),
    "delivered": ("Collected", "You have&nbsp;it.", "Collected on"),
}


@pytest.mark.parametrize(
    ("delivery", "words"), [("send", SENT), ("collect", COLLECTED)], ids=["sent", "collected"]
)
def test_each_state_of_an_order_on_delivery_says_what_it_means(client, delivery, words) -> None:
    order = on_delivery(client, delivery=delivery)
    for state, (title, heading, sentence) in words.items():
        if state == "delivered" and delivery == "collect":
            move(order, "shipped")
        if state != "paid":
            move(order, state)
        body = page(client, order)
        assert f"<title>{title}: order {order.number} – Allo</title>" in body
        assert heading in body
        assert sentence in body
        assert ("receipt of order" in body) is (state == "delivered")
    assert "BD 4471" in body or delivery == "collect"


def test_an_order_of_two_parcels_says_which_has_left(client, admin_user) -> None:
    """Also if both go with the same carrier, which gives no numbers."""
    rows = [stocked(5), stocked(5, product="lyra", warehouse="del-01")]
    holds = [holding(client, row) for row in rows]
    order = brought(opened(*holds, phone="+919845012345"), "packed")
    body = page(client, order)
    assert "It comes in 2 parcels." in body
    assert "Each parcel is handed over at your door." in body
    for row in rows:
        assert "Both parcels" not in body
        fulfilling.ship(order, warehouse=row.warehouse, carrier="Blue Dart", actor=admin_user)
        if row is rows[0]:
            body = page(client, order)
            assert f"<title>Partly on its way: order {order.number} – Allo</title>" in body
            assert "One parcel has left. The rest is packed in del-01, and leaves next." in body
            assert "Partly on its way" in client.get("/orders/").content.decode()
    body = page(client, order)
    assert "Both parcels of your order have left, the last one" in body
    assert body.count("<strong><bdi>Blue Dart</bdi></strong>") == 2


def test_two_warehouses_of_the_same_name_send_a_parcel_each(client, admin_user) -> None:
    rows = [stocked(5), stocked(5, product="bowl", warehouse="del-01")]
    Warehouse.objects.update(name="Mumbai")
    holds = [holding(client, row) for row in rows]
    assert "I collect it at the Mumbai warehouses" in client.get("/bag/").content.decode()
    order = brought(opened(*holds), "packed")
    assert "It comes in 2 parcels." in page(client, order)
    for row in rows:
        fulfilling.ship(
            order, warehouse=row.warehouse, carrier="Blue Dart", tracking=row.product.slug,
            actor=admin_user,
        )  # fmt: skip
    body = page(client, order)
    assert "Both parcels of your order have left" in body
    for tracking in ("tidal", "bowl"):
        assert f'number <span class="code">{tracking}</span>' in body


def test_a_refund_on_delivery_is_less_to_pay_or_given_back(client) -> None:
    order = on_delivery(client)
    assert "refunded" not in page(client, order)
    refund(order.charges.get(), 50_000)
    body = page(client, order)
    assert "<strong>₹\N{NO-BREAK SPACE}500</strong>" in body
    assert "so you pay that much less." in body
    for state in ("packed", "shipped", "delivered"):
        move(order, state)
    refund(order.charges.get(), 10_000)
    body = page(client, order)
    assert "so you paid that much less." in body
    assert "<strong>₹\N{NO-BREAK SPACE}100</strong>" in body
    assert "You paid on delivery, so our staff give it back to you." in body


def test_the_receipt_has_what_to_whom_and_where_with_the_tax(client, settings) -> None:
    settings.SHIPPING_PAISE = 9_900
    body = page(client, on_delivery(client))
    for words in (
        "Asha Rao", "asha@example.org", "+91 98450 12345", "12 MG Road", "560001", "Karnataka",
        "₹\N{NO-BREAK SPACE}3,949", "₹\N{NO-BREAK SPACE}602.39", "A receipt goes to",
    ):  # fmt: skip
        assert words in body, words


def test_a_cancelled_order_on_delivery_says_that_nothing_was_charged(client) -> None:
    order = on_delivery(client)
    restock_and_cancel(order, of=(Order.State.PAID,), note="Broken")
    body = page(client, order)
    assert "Back on the&nbsp;shelf." in body
    assert "Nothing was charged." in body
    assert "receipt of order" not in body
    assert "Broken" not in body


def test_markup_in_what_a_buyer_typed_is_inert(client) -> None:
    order = on_delivery(client, name="<img src=x onerror=alert(1)>", line1="<script>1</script>")
    body = page(client, order)
    assert "&lt;img src=x" in body
    assert "<img src=x" not in body
    assert "<script>1" not in body


def test_a_poll_of_an_order_gets_204_until_something_changes(client) -> None:
    order = on_delivery(client)
    address = f"/orders/{order.number}/"
    shown = client.get(address).context["shown"]
    assert client.get(address, {"seen": shown.seen}, headers=HTMX).status_code == 204
    # With new tokens in time.
    poll = client.get(address, {"seen": aged(shown.seen, MAX_AGE_SECONDS * 0.6)}, headers=HTMX)
    assert "data-live" in poll.content.decode()
    move(order, "packed")
    part = client.get(address, {"seen": shown.seen}, headers=HTMX).content.decode()
    assert part.lstrip().startswith("<title>Packed: order"), "htmx takes a title from the root"
    assert "<html" not in part


@pytest.mark.parametrize("verb", ["", "pay/", "drop/"])
def test_nobody_else_finds_an_order(client, verb) -> None:
    order = on_delivery(client)
    for number in (order.number, "AL-0000-0000", "x"):
        address = f"/orders/{number}/{verb}"
        other = Client()
        response = other.post(address) if verb else other.get(address)
        assert response.status_code == 404


@pytest.mark.parametrize("address", ["paid/", "paid/?key=forged", "back/"])
def test_one_who_comes_back_from_the_bank_in_another_browser_can_find_the_order(
    client, address
) -> None:
    order = on_delivery(client)
    for number in (order.number, "AL-0000-0000", "x" * 999):
        found = Client().get(f"/orders/{number}/{address}", follow=True)
        body = found.content.decode()
        assert "this browser does not know your order" in body
        assert f'value="{number[:40]}"' in body
        assert f"/{number[:40]}/" not in body


def test_the_signed_link_opens_it_in_that_browser_without_staying_in_the_address(client) -> None:
    order, other = on_delivery(client), Client()
    assert other.get(f"/orders/{order.number}/?key=forged").status_code == 404
    let_in = other.get(f"/orders/{order.number}/?key={key_of(order)}")
    assert let_in.headers["Location"] == f"/orders/{order.number}/"
    assert order.number in page(other, order)


def test_a_link_that_is_followed_again_shuts_the_browser_out_of_no_other_order(
    client, monkeypatch
) -> None:
    monkeypatch.setattr(mail_links, "MOST_OPENED", 2)
    one, two, three = (on_delivery(client, product) for product in ("tidal", "lyra", "arc"))
    browser = Client()

    def opens(order: Order, key: str = "") -> int:
        return browser.get(f"/orders/{order.number}/", {"key": key} if key else {}).status_code

    for order in (one, two, two, two):
        opens(order, key_of(order))
    assert [opens(order) for order in (one, two, three)] == [200, 200, 404]
    opens(three, key_of(three))
    assert [opens(order) for order in (one, two, three)] == [404, 200, 200]


@pytest.mark.parametrize("typed", ["{}", "al {}", "  al-{}"])
def test_a_number_is_understood_as_people_write_it(client, typed) -> None:
    order = on_delivery(client)
    written = typed.format(order.number.removeprefix("AL-").lower().replace("-", " "))
    assert client.get(f"/orders/{written}/").status_code == 200


# --- my orders ----------------------------------------------------------------------------------


def numbers(listed: Page) -> list[str]:
    return [order.number for order in listed.context["page"].orders]


def test_my_orders_are_this_shoppers_newest_first(client) -> None:
    first, second = on_delivery(client, "one"), on_delivery(client, "two")
    on_delivery(Client(), "theirs")
    listed = client.get("/orders/")
    assert listed.headers["Cache-Control"] == "private, no-store"
    assert numbers(listed) == [second.number, first.number]
    assert "No orders yet" in Client().get("/orders/").content.decode()


def test_an_order_of_the_account_is_listed_on_its_next_device(client) -> None:
    user = User.objects.create_user("asha")
    client.force_login(user)
    order, device = on_delivery(client), Client()
    device.force_login(user)
    assert numbers(device.get("/orders/")) == [order.number]
    assert order.number in page(device, order)


def test_pages_of_orders_neither_skip_nor_repeat(client, monkeypatch) -> None:
    monkeypatch.setattr("catalog.paging.SIZE", 2)
    made = [on_delivery(client, f"p-{n}").number for n in range(5)][::-1]
    first = client.get("/orders/").context["page"]
    second = client.get(f"/orders/?before={first.older}").context["page"]
    third = client.get(f"/orders/?before={second.older}").context["page"]
    pages = (first, second, third)
    assert [order.number for shown in pages for order in shown.orders] == made
    assert (first.newer, third.older) == ("", "")
    again = client.get(f"/orders/?after={third.newer}").context["page"]
    assert [order.number for order in again.orders] == made[2:4]
    assert client.get("/orders/?before=AL-0000-0000").status_code == 404


# --- find my order ------------------------------------------------------------------------------

SAME = "If there is such an order, its link is on its way to that address."


def find(client: Client, number: str, email: str) -> Page:
    return client.post("/orders/find/", {"number": number, "email": email}, follow=True)


def links() -> int:
    return Message.objects.filter(kind="order_link").count()


def test_the_answer_is_the_same_whether_there_is_such_an_order(client) -> None:
    order, other = on_delivery(client), Client()
    for number, email in (
        ("AL-0000-0000", "asha@example.org"),
        (order.number, "mallory@example.org"),
        ("al 0000 000o", "asha@example.org"),
    ):
        body = find(other, number, email).content.decode()
        assert SAME in body
        assert links() == 0
    for typed in ("x", "AL-0000-000", "AL-0000-00000"):
        assert "like AL-7K3M-9QTX" in find(other, typed, "asha@example.org").content.decode()
    spoken = order.number.replace("-", " ").lower()
    assert SAME in find(other, spoken, "ASHA@example.org").content.decode()
    [message] = Message.objects.filter(kind="order_link")
    assert message.to == "asha@example.org"
    assert key_of(order) not in str(message.context)


def test_the_shop_does_the_same_for_an_order_that_is_not_there(client) -> None:
    order = on_delivery(client)
    for number, email in (
        (order.number, order.email),
        (order.number, order.email),  # sent just now
        (order.number, "mallory@example.org"),
        ("AL-0000-0000", order.email),
    ):
        form = {"number": number, "email": email}
        with CaptureQueriesContext(connection) as queries:
            assert client.post("/orders/find/", form).status_code == 303
        steps = [query["sql"].partition(" ")[0] for query in queries]
        # In a transaction of its own it ends with a commit, or a rollback.
        assert steps[:4] == ["SELECT", "SAVEPOINT", "SET", "INSERT"]
        assert {*steps[4:]} <= {"RELEASE", "ROLLBACK"}
    assert links() == 1


def test_the_link_is_sent_once_in_ten_minutes(client, monkeypatch) -> None:
    order = on_delivery(client)
    seconds = iter((1200, 1799, 1800))
    monkeypatch.setattr("checkout.mail.time", lambda: next(seconds))
    for so_far in (1, 1, 2):
        find(client, order.number, order.email)
        assert links() == so_far


def test_the_mail_opens_the_order(client, settings) -> None:
    order = on_delivery(client)
    find(Client(), order.number, order.email)
    Message.objects.exclude(kind="order_link").delete()
    sending.send_due()
    [letter] = sent.outbox
    assert letter.subject == f"Your order {order.number}"
    link = f"{settings.SITE_URL}/orders/{order.number}/?key={key_of(order)}"
    assert link in letter.body


@pytest.mark.parametrize(("field", "typed"), [("number", ""), ("email", "asha at")])
def test_what_is_missing_is_said_beside_its_field(client, field, typed) -> None:
    form = {"number": "AL-0000-0000", "email": "asha@example.org", field: typed}
    response = client.post("/orders/find/", form)
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]


def test_too_many_are_refused_for_a_while(client, settings, monkeypatch) -> None:
    monkeypatch.setattr("allo.web.rate.time.time", lambda: 7201.0)
    redis_client().delete("rate:find-order:127.0.0.1/32:2")
    settings.FIND_ORDER_RATE = "2/h"
    for _ in range(2):
        assert find(client, "AL-0000-0000", "asha@example.org").status_code == 200
    response = find(client, "AL-0000-0000", "asha@example.org")
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "3599"
