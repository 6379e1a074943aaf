"""An order that is paid on delivery needs a confirmed e-mail address."""

import pytest
from django.test import Client

from allo.codes.models import EmailCode
from checkout import proving
from checkout.models import Order
from reservations.models import Reservation
from tests.accounts.signing_in import (
    code_in,
    last_code,
    page_of,
    pass_minutes,
    sent,
    signed_in,
    wrong_code,
)
from tests.shopping import BUYER, HTMX, Page, holding, key, press
from tests.smtp import mailbox
from tests.stock import stocked

pytestmark = pytest.mark.django_db

# Marks the page that shows the field for the code.
FIELD, ANOTHER = 'name="code"', 'name="another_code"'


@pytest.fixture(autouse=True)
def _codes(settings) -> None:
    settings.ON_DELIVERY_NEEDS_CODE = True


@pytest.fixture
def hold(client) -> Reservation:
    return holding(client, stocked(5))


def another(client: Client, product: str) -> Reservation:
    return holding(client, stocked(5, product=product))


def errors(page: Page) -> dict[str, list[str]]:
    return dict(page.context["form"].errors)


def test_a_code_is_sent_and_typed_before_the_order_is_placed(client, hold, settings) -> None:
    assert FIELD not in client.get(f"/checkout/{hold.pk}/").content.decode()
    with mailbox(settings) as box:
        page = press(client, hold, "confirm", name="Asha & Rao")
        (mail,) = sent(box)
    shown = page.content.decode()
    assert (page.status_code, FIELD in shown, ANOTHER in shown) == (200, True, True)
    assert "asha@example.org" in shown
    assert 'value="Asha &amp; Rao"' in shown
    assert mail["To"] == "asha@example.org"
    assert code_in(mail) in page_of(mail)
    assert not Order.objects.exists()
    # A page that is loaded anew still has the field, and pressing again sends nothing.
    assert FIELD in client.get(f"/checkout/{hold.pk}/").content.decode()
    again = press(client, hold, "confirm")
    assert (again.status_code, errors(again)) == (422, {"code": ["Type the code that we sent."]})
    wrong = press(client, hold, "confirm", code=wrong_code())
    assert wrong.status_code == 422
    assert "You can try 4 more times." in errors(wrong)["code"][0]
    assert press(client, hold, "confirm", code="abc").status_code == 422
    done = press(client, hold, "confirm", code=f"Your code is {code_in(mail)}")
    assert done.headers["Location"] == f"/orders/{Order.objects.get().number}/"
    assert EmailCode.objects.count() == 1
    # Confirmed for an hour, in this browser and for this address.
    assert press(client, another(client, "jug"), "confirm").status_code == 303
    other = press(client, another(client, "bowl"), "confirm", email="ravi@example.org")
    assert (other.status_code, Order.objects.count()) == (200, 2)
    stranger = Client()
    assert press(stranger, another(stranger, "cup"), "confirm").status_code == 200


def test_another_code_can_be_sent_and_too_many_are_refused(client, hold) -> None:
    press(client, hold, "confirm")
    first = last_code()
    page = press(client, hold, "confirm", another_code="1", code=first)
    assert (page.status_code, EmailCode.objects.count()) == (200, 2)
    assert first not in page.content.decode()
    assert press(client, hold, "confirm", code=first).status_code == 422
    pass_minutes(11)
    # One that ran out is replaced.
    assert press(client, hold, "confirm", code=last_code()).status_code == 200
    for _ in range(3):
        press(client, hold, "confirm", another_code="1")
    refused = press(client, hold, "confirm", another_code="1")
    assert refused.status_code == 429
    assert "So many codes were sent" in errors(refused)["email"][0]
    # The last one still works.
    assert press(client, hold, "confirm", code=last_code()).status_code == 303


def test_the_code_of_one_address_confirms_no_other(client, hold) -> None:
    press(client, hold, "confirm")
    page = press(client, hold, "confirm", email="ravi@example.org", code=last_code())
    assert (page.status_code, EmailCode.objects.count()) == (200, 2)
    assert "ravi@example.org" in page.content.decode()
    assert not Order.objects.exists()


def test_an_account_has_a_confirmed_address_and_needs_a_code_for_others(client) -> None:
    signed_in("Asha@example.org", client)
    assert press(client, another(client, "jug"), "confirm").status_code == 303
    other = press(client, another(client, "bowl"), "confirm", email="ravi@example.org")
    assert (other.status_code, FIELD in other.content.decode()) == (200, True)
    assert Order.objects.count() == 1


def test_a_bag_is_ordered_in_the_same_way(client, hold) -> None:
    holds = [hold, another(client, "jug")]

    def pay(**more: str) -> Page:
        form = {**BUYER, "idempotency_key": key(), "hold": [one.pk for one in holds], **more}
        return client.post("/bag/pay/", form, headers=HTMX)

    page = pay()
    assert (page.status_code, FIELD in page.content.decode()) == (200, True)
    assert FIELD in client.get("/bag/").content.decode()
    assert pay(code=wrong_code()).status_code == 422
    assert pay(code=last_code()).headers["HX-Redirect"].startswith("/orders/")
    assert Order.objects.get().order_lines.count() == 2


def test_with_the_setting_off_no_code_is_sent(client, hold, settings) -> None:
    settings.ON_DELIVERY_NEEDS_CODE = False
    assert press(client, hold, "confirm").status_code == 303
    assert not EmailCode.objects.exists()


def test_what_is_paid_at_a_provider_needs_no_code(settings) -> None:
    settings.PAYMENT_PROVIDER = "bank"
    assert not proving.is_needed()


def test_what_is_not_held_any_more_sends_no_code(client, hold) -> None:
    press(client, hold, "cancel")
    assert press(client, hold, "confirm").status_code == 409
    assert not EmailCode.objects.exists()


def test_a_program_orders_on_delivery_only_for_a_confirmed_address(client, hold) -> None:
    def confirm(held: Reservation, **buyer: str) -> Page:
        return client.post(
            f"/api/reservations/{held.pk}/confirm",
            {"buyer": {"name": "Asha", "phone": "98450 12345", **buyer}} if buyer else {},
            content_type="application/json",
            headers={"Idempotency-Key": f"k{held.pk}{buyer.get('email')}"},
        )

    for refused in (confirm(hold), confirm(hold, email="asha@example.org")):
        assert (refused.status_code, refused.json()["code"]) == (403, "email_not_confirmed")
    assert not Order.objects.exists()
    press(client, another(client, "jug"), "confirm")
    press(client, Reservation.objects.latest("created_at"), "confirm", code=last_code())
    assert confirm(hold, email="ravi@example.org").status_code == 403
    assert confirm(hold, email="Asha@example.org").status_code == 200
    # A retry gets its answer, also where nothing is confirmed any more.
    del client.cookies["allo_code"]
    assert confirm(hold, email="Asha@example.org").status_code == 200
