"""Invoices: their numbers, and their page."""

import re
from datetime import UTC, datetime

import pgtrigger
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from localflavor.in_.in_states import STATE_CHOICES

from allo.outbox import letters
from allo.outbox.models import Message
from checkout.models import Charge, InvoiceCounter, Order
from checkout.models.invoice import LAST_SERIAL
from checkout.models.order_triggers import SELLER
from checkout.orders import serials
from checkout.orders.cancelling import restock_and_cancel
from checkout.orders.links import key_of
from checkout.orders.places import GST_CODES, state_of
from checkout.orders.refunding import refund
from tests.checkout.orders import refuses
from tests.shopping import holding, press
from tests.stock import stocked

pytestmark = pytest.mark.django_db

GSTIN = "29ABCDE1234F1Z5"


@pytest.fixture(autouse=True)
def seller(settings) -> None:
    """In Karnataka."""
    settings.SELLER_GSTIN = GSTIN
    settings.SELLER_NAME, settings.SELLER_ADDRESS = "Allo & Daughters", "14 Lake Road, Bengaluru"


def bought(client: Client, quantity: int = 1, product: str = "tidal", **form: str) -> Order:
    press(client, holding(client, stocked(5, product=product), quantity), "confirm", **form)
    return Order.objects.latest("opened_at")


def cells(client: Client, order: Order) -> list[list[str]]:
    """The text of the page's table, line by line."""
    body = client.get(f"/orders/{order.number}/invoice/").content.decode()
    lines = re.findall(r"<tr>(.*?)</tr>", body, flags=re.DOTALL)
    rows = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", line, flags=re.DOTALL) for line in lines]
    return [[re.sub(r"<.*?>", "", cell).replace("&nbsp;", " ") for cell in row] for row in rows]


def page(client: Client, order: Order) -> str:
    return client.get(f"/orders/{order.number}/invoice/").content.decode()


def this_year(serial: int) -> str:
    order = Order.objects.filter(paid_at__isnull=False).latest("paid_at")
    assert order.paid_at
    return serials.written(serials.financial_year(order.paid_at), serial)


def test_each_paid_order_gets_the_next_number(client) -> None:
    orders = [bought(client, product=name) for name in ("a", "b", "c")]
    numbers = [order.invoice_number for order in orders]
    assert numbers == [this_year(serial) for serial in (1, 2, 3)]
    assert re.fullmatch(r"AL\d\d-\d\d/000001", numbers[0] or "")


def test_without_a_gstin_there_is_neither_a_number_nor_a_page_nor_a_link(client, settings) -> None:
    settings.SELLER_GSTIN = ""
    order = bought(client)
    assert (order.invoice_number, order.seller_name) == (None, "")
    assert not InvoiceCounter.objects.exists()
    settings.SELLER_GSTIN = GSTIN
    address = f"/orders/{order.number}/invoice/"
    assert client.get(address).status_code == 404
    assert address not in client.get(f"/orders/{order.number}/").content.decode()


@pytest.mark.parametrize("gstin", ["27ABCDE1234F1Z5", ""])
def test_an_invoice_names_the_seller_of_its_day(client, settings, gstin) -> None:
    """Also once the seller has moved to another state, or has no GSTIN any more."""
    settings.SHIPPING_PAISE = 9_900
    order = bought(client)
    address = f"/orders/{order.number}/invoice/"
    before = page(client, order)
    settings.SELLER_GSTIN = gstin
    settings.SELLER_NAME, settings.SELLER_ADDRESS = "Another Name", "1 Marine Drive, Mumbai"
    for words in ("Allo &amp; Daughters", "14 Lake Road, Bengaluru", GSTIN, "Karnataka (29)"):
        assert words in page(client, order), words
    assert cells(client, order)[0][4:-1] == ["CGST (₹)", "SGST (₹)"]
    assert page(client, order).partition("<main")[2] == before.partition("<main")[2]
    assert address in client.get(f"/orders/{order.number}/").content.decode()
    assert address in str(letters.letter(Message.objects.get(kind="receipt")).body)
    if gstin:
        assert "1 Marine Drive, Mumbai" in page(client, bought(client, product="other"))


def test_a_number_whose_seller_was_not_kept_shows_no_invoice(client) -> None:
    order = bought(client)
    with pgtrigger.ignore("checkout.Order:seller_of_an_invoice_is_kept"):
        Order.objects.update(**dict.fromkeys(SELLER, ""))
    assert client.get(f"/orders/{order.number}/invoice/").status_code == 404
    body = client.get(f"/orders/{order.number}/").content.decode()
    assert (str(order.invoice_number) in body, "/invoice/" in body) == (True, False)


@pytest.mark.parametrize(
    ("at", "number"),
    [
        (datetime(2027, 3, 31, 18, 29, 59, tzinfo=UTC), "AL26-27/000123"),
        (datetime(2027, 3, 31, 18, 30, tzinfo=UTC), "AL27-28/000123"),
        (datetime(2099, 12, 31, tzinfo=UTC), "AL99-00/000123"),
    ],
)
def test_a_financial_year_begins_with_april_by_the_shops_zone(at, number) -> None:
    assert serials.written(serials.financial_year(at), 123) == number


def test_the_longest_number_has_the_16_characters_that_the_law_allows() -> None:
    assert len(serials.written(2026, LAST_SERIAL)) == 16


def test_what_is_rolled_back_leaves_no_gap(client) -> None:
    bought(client)
    with transaction.atomic(), connection.cursor() as cursor:
        year = InvoiceCounter.objects.get().year
        assert cursor.execute(serials.NEXT, [year]).fetchone() == (2,)
        transaction.set_rollback(True)
    assert bought(client, product="other").invoice_number == this_year(2)


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("UPDATE checkout_invoicecounter SET last = last + 2", "invoices_are_consecutive"),
        ("UPDATE checkout_invoicecounter SET last = last - 1", "invoices_are_consecutive"),
        ("UPDATE checkout_invoicecounter SET last = last", "invoices_are_consecutive"),
        ("UPDATE checkout_invoicecounter SET year = year + 1", "invoices_are_consecutive"),
        ("DELETE FROM checkout_invoicecounter", "invoice_counters_are_kept"),
        ("INSERT INTO checkout_invoicecounter VALUES (2001, 2)", "invoices_begin_at_one"),
    ],
)
def test_the_database_refuses_a_counter_that_does_anything_but_count(
    client, statement, rule
) -> None:
    bought(client)
    with refuses(rule), connection.cursor() as cursor:
        cursor.execute(statement)


def test_after_a_restore_the_numbers_that_were_given_are_skipped(client, capsys) -> None:
    bought(client)
    call_command("skip_invoices", this_year(4))
    assert "3 numbers are skipped." in capsys.readouterr().out
    assert bought(client, product="other").invoice_number == this_year(5)
    for wrong in (this_year(5), this_year(1006), "AL26-28/000123", "26-27/9"):
        with pytest.raises(CommandError):
            call_command("skip_invoices", wrong)
    call_command("skip_invoices", "AL98-99/000002")
    assert InvoiceCounter.objects.get(year=2098).last == 2


def test_two_orders_never_have_one_number(client) -> None:
    first, second = bought(client), bought(client, product="other")
    with pytest.raises(IntegrityError, match="invoice_number"), transaction.atomic():
        Order.objects.filter(pk=second.pk).update(invoice_number=first.invoice_number)


def test_within_the_sellers_state_the_tax_is_halved_and_adds_up_to_the_paisa(
    client, settings
) -> None:
    settings.SHIPPING_PAISE = 9_900
    order = bought(client, 2)
    heads, line, shipping, total = cells(client, order)
    assert heads == [
        "Description", "Quantity", "Taxable value (₹)", "GST rate", "CGST (₹)", "SGST (₹)",
        "Total (₹)",
    ]  # fmt: skip
    assert line == ["Tidal", "2", "6,525.42", "18 %", "587.29", "587.29", "7,700.00"]
    assert shipping == ["Shipping", "", "83.90", "18 %", "7.55", "7.55", "99.00"]
    assert total == ["Total", "", "6,609.32", "", "594.84", "594.84", "7,799.00"]


def test_shipping_that_was_charged_without_tax_stays_so(client, settings) -> None:
    settings.SHIPPING_PAISE = 9_900
    order = bought(client, 2)
    with pgtrigger.ignore("checkout.Order:order_stays_as_made"):
        Order.objects.update(shipping_gst_percent=None, shipping_gst_paise=0)
    [_, _, shipping, total] = cells(client, order)
    assert shipping == ["Shipping", "", "", "", "", "", "99.00"]
    assert total == ["Total", "", "6,525.42", "", "587.29", "587.29", "7,799.00"]


def test_an_odd_paisa_is_not_lost(client) -> None:
    [_, line, _] = cells(client, bought(client))
    assert line == ["Tidal", "1", "3,262.71", "18 %", "293.65", "293.64", "3,850.00"]


@pytest.mark.parametrize(
    ("gstin", "taxes", "place"),
    [
        ("27ABCDE1234F1Z5", ["IGST (₹)"], "Karnataka (29)"),
        (GSTIN, ["CGST (₹)", "SGST (₹)"], "Karnataka (29)"),
    ],
)
def test_to_another_state_the_tax_is_integrated(client, settings, gstin, taxes, place) -> None:
    settings.SELLER_GSTIN = gstin
    order = bought(client)
    assert cells(client, order)[0][4:-1] == taxes
    assert place in page(client, order)


@pytest.mark.parametrize(
    ("gstin", "taxes", "place"),
    [
        ("27ABCDE1234F1Z5", ["CGST (₹)", "SGST (₹)"], "Maharashtra (27)"),
        ("04ABCDE1234F1Z5", ["CGST (₹)", "UTGST (₹)"], "Chandigarh (04)"),
    ],
)
def test_what_is_collected_is_supplied_where_the_seller_is(
    client, settings, gstin, taxes, place
) -> None:
    settings.SELLER_GSTIN = gstin
    order = bought(client, delivery="collect")
    assert cells(client, order)[0][4:-1] == taxes
    assert place in page(client, order)


def test_it_names_seller_buyer_and_what_is_inert(client) -> None:
    order = bought(client, name="<img src=x onerror=alert(1)> עברית 🦊", line1="<b>" + "x" * 80)
    body = page(client, order)
    for words in (
        "Allo &amp; Daughters", "14 Lake Road, Bengaluru", GSTIN, order.invoice_number,
        order.number, "<bdi>&lt;img src=x onerror=alert(1)&gt; עברית 🦊</bdi>", "&lt;b&gt;xxx",
        "On delivery",
    ):  # fmt: skip
        assert str(words) in body, words
    assert "<img src=x" not in body


def test_what_was_refunded_is_credited(client) -> None:
    order = bought(client, 2)
    line = order.order_lines.get()
    refund(order, amount=385_000, reason="Broken", line=line, units=1)
    failed = refund(order, amount=100, reason="Late")
    failed.state = "failed"
    failed.save()
    restock_and_cancel(order, of=(Order.State.PAID,), note="Broken")
    body = page(client, order)
    assert ", 1 × Tidal</dt><dd>−₹\N{NO-BREAK SPACE}3,850</dd>" in body
    assert "Total after credits</dt><dd>₹\N{NO-BREAK SPACE}3,850</dd>" in body
    assert "The order was cancelled on" in body
    assert "Broken" not in body
    assert "₹\N{NO-BREAK SPACE}1</dd>" not in body
    assert Charge.objects.get().refunded_paise == 385_000


def test_those_who_may_see_an_order_see_its_invoice_also_by_the_link_in_a_receipt(client) -> None:
    order, stranger = bought(client), Client()
    address = f"/orders/{order.number}/invoice/"
    for key in ("", "?key=forged"):
        assert stranger.get(f"{address}{key}").status_code == 404
    stranger.force_login(User.objects.create_superuser("root"))
    assert stranger.get(address).status_code == 404
    made = letters.letter(Message.objects.get(kind="receipt"))
    assert f"{address}?key={key_of(order)}" in str(made.body)
    assert f"{address}?key={key_of(order)}" in str(made.alternatives[0][0])
    opened = stranger.get(f"{address}?key={key_of(order)}", follow=True)
    assert opened.redirect_chain == [(address, 303)]
    assert str(order.invoice_number) in opened.content.decode()
    assert opened.headers["Cache-Control"] == client.get(address).headers["Cache-Control"]


def test_every_state_has_a_number_and_every_number_that_a_gstin_may_begin_with_a_state() -> None:
    assert GST_CODES.keys() == {letters for letters, _ in STATE_CHOICES}
    assert {state_of(code) for code in GST_CODES.values()} == GST_CODES.keys()
