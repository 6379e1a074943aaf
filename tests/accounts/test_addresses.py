"""Addresses that an account saves: offered where one buys, edited and removed on a page."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client

from checkout import addresses
from checkout.models import Address, Contact, Order
from tests.accounts.signing_in import signed_in
from tests.shopping import BUYER, holding, key, press
from tests.stock import all_at_once, stocked

pytestmark = pytest.mark.django_db

SAVED = {
    "name": "Asha Rao", "phone": "+919845012345", "line1": "12 MG Road", "line2": "",
    "city": "Bengaluru", "region": "KA", "pin": "560001",
}  # fmt: skip
PAGE = "/account/addresses/"


@pytest.fixture
def asha() -> Client:
    return signed_in()


def account() -> User:
    return User.objects.get(email="asha@example.org")


def values() -> list[dict[str, Any]]:
    return list(Address.objects.order_by("pk").values(*SAVED))


def test_an_address_is_saved_if_the_buyer_ticks_that_and_offered_the_next_time(asha) -> None:
    row = stocked(9)
    assert 'name="remember"' in asha.get(f"/checkout/{holding(asha, row).pk}/").content.decode()
    for n, ticked in enumerate(({}, {"remember": "on"}, {"remember": "on"})):
        bought = press(asha, holding(asha, row), "confirm", **ticked)
        assert bought.status_code == 303, bought.content
        assert values() == ([SAVED] if n else [])
    assert Order.objects.count() == 3
    # The last one of another order is the last used.
    other = addresses.save(account().pk, {**SAVED, "line1": "9 Residency Road"})
    held = holding(asha, row)
    page = asha.get(f"/checkout/{held.pk}/").content.decode()
    assert f'name="address" value="{other.pk}"' in page
    assert 'value="12 MG Road"' in page  # what was typed last


@pytest.mark.parametrize("typed", [{}, {"delivery": "collect"}, {"email": "no address", "pin": ""}])
def test_a_saved_address_is_filled_in_once_and_what_is_typed_after_it_stays(asha, typed) -> None:
    """Also on the page that shows mistakes, which has another address."""
    own = f"/checkout/{(held := holding(asha, stocked(9))).pk}/"
    saved = addresses.save(account().pk, {**SAVED, "line1": "9 Residency Road"})
    asha.post(f"{own}contact/", {**BUYER, **typed})
    for given, there in (({}, own), ({"bag": "1"}, "/bag/")):
        chosen = asha.post(f"{own}address/", {"address": saved.pk, **given})
        assert (chosen.status_code, chosen.headers["Location"]) == (303, there)
        page = asha.get(there)
        assert f'action="{own}address/"' in page.content.decode()
        assert page.context["form"].initial == {
            **BUYER, **SAVED, **typed, "delivery": "send", "line1": "9 Residency Road",
            "pin": SAVED["pin"],
        }  # fmt: skip
    asha.post(f"{own}contact/", {**BUYER, "delivery": "collect", "city": "Mysuru"})
    after = asha.get(f"{own}?address={saved.pk}").context["form"].initial
    assert (after["delivery"], after["city"]) == ("collect", "Mysuru")
    # Removed in another tab, it fills in nothing.
    Address.objects.all().delete()
    assert asha.post(f"{own}address/", {"address": saved.pk}).status_code == 303
    assert asha.get(own).context["form"].initial == after
    assert held.pk == Contact.objects.get().reservation_id


def test_a_first_form_in_a_new_browser_is_filled_in_from_the_account(asha) -> None:
    addresses.save(account().pk, SAVED)
    page = asha.get(f"/checkout/{holding(asha, stocked(5)).pk}/").content.decode()
    assert 'value="asha@example.org"' in page
    assert 'value="12 MG Road"' in page


def test_nobody_else_is_offered_or_reaches_an_address(asha, client) -> None:
    address = addresses.save(account().pk, SAVED)
    row = stocked(9)
    ravi = signed_in("ravi@example.org")
    for shopper in (client, ravi):
        held = holding(shopper, row)
        shopper.post(f"/checkout/{held.pk}/address/", {"address": address.pk})
        for page in (f"/checkout/{held.pk}/", "/bag/"):
            assert "12 MG Road" not in shopper.get(page).content.decode()
    assert 'name="remember"' not in client.get("/bag/").content.decode()
    assert ravi.get(f"{PAGE}{address.pk}/").status_code == 404
    assert ravi.get(f"{PAGE}{address.pk}/remove/").headers["Location"] == PAGE
    ravi.post(f"{PAGE}{address.pk}/remove/")
    assert values() == [SAVED]
    assert (
        client.get(PAGE).headers["Location"] == "/account/sign-in/?next=%2Faccount%2Faddresses%2F"
    )
    # A field that the page did not have saves nothing.
    assert press(client, held, "confirm", remember="on").status_code in (303, 404)
    assert Address.objects.count() == 1


def test_an_address_is_added_changed_and_removed_on_its_page(asha) -> None:
    assert asha.post(f"{PAGE}new/", {**BUYER, "line1": ""}).status_code == 422
    assert "No address is saved yet" in asha.get(PAGE).content.decode()
    assert asha.post(f"{PAGE}new/", BUYER).headers["Location"] == PAGE
    page = asha.get(PAGE).content.decode()
    assert "12 MG Road" in page
    assert "+91 98450 12345" in page
    address = Address.objects.get()
    assert 'value="12 MG Road"' in asha.get(f"{PAGE}{address.pk}/").content.decode()
    wrong = asha.post(f"{PAGE}{address.pk}/", {**BUYER, "pin": "12"})
    assert "A PIN code has six digits" in wrong.content.decode()
    asha.post(f"{PAGE}{address.pk}/", {**BUYER, "line2": "Flat 3"})
    assert values() == [{**SAVED, "line2": "Flat 3"}]
    # Changed into one that is there already, it is that one.
    asha.post(f"{PAGE}new/", BUYER)
    asha.post(f"{PAGE}{address.pk}/", BUYER)
    assert values() == [SAVED]
    left = Address.objects.get()
    asked = f"{PAGE}{left.pk}/remove/"
    assert f'href="{asked}"' in asha.get(PAGE).content.decode()
    question = asha.get(asked).content.decode()
    assert "Remove this address?" in question
    assert "12 MG Road" in question
    assert values() == [SAVED]
    for _twice in range(2):
        assert asha.post(asked).headers["Location"] == PAGE
    assert values() == []
    assert asha.get(asked).headers["Location"] == PAGE


def test_an_account_has_a_number_of_addresses_and_buys_without_saving_more(
    asha, monkeypatch
) -> None:
    monkeypatch.setattr(addresses, "MOST", 1)
    addresses.save(account().pk, {**SAVED, "line1": "9 Residency Road"})
    refused = asha.post(f"{PAGE}new/", BUYER)
    assert "Remove one first" in refused.content.decode()
    assert "Add an address" not in asha.get(PAGE).content.decode()
    assert press(asha, holding(asha, stocked(5)), "confirm", remember="on").status_code == 303
    assert [saved["line1"] for saved in values()] == ["9 Residency Road"]


@pytest.mark.django_db(transaction=True)
def test_the_same_address_saved_at_once_is_saved_once() -> None:
    person = User.objects.create_user("asha")
    saved = all_at_once(4, lambda _: addresses.save(person.pk, SAVED).pk)
    assert len(set(saved)) == 1
    assert values() == [SAVED]


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"line1": ""}, "saved_address_is_whole"),
        ({"pin": "12"}, "saved_address_is_whole"),
        ({"city": "Cafe\u0301"}, "saved_address_is_nfc"),
    ],
)
def test_an_address_is_always_whole(change, constraint) -> None:
    person = User.objects.create_user("asha")
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Address.objects.create(account=person, **{**SAVED, **change})
    Address.objects.create(account=person, **SAVED)
    with pytest.raises(IntegrityError, match="address_is_saved_once"), transaction.atomic():
        Address.objects.create(account=person, **SAVED)


def test_saving_is_a_retry_like_any_other(asha) -> None:
    form = {"remember": "on", "idempotency_key": key()}
    held = holding(asha, stocked(5))
    for _twice in range(2):
        assert press(asha, held, "confirm", **form).status_code == 303
    assert values() == [SAVED]
