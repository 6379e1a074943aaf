"""Staff see who waits, and close a list with a reason."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.urls import reverse

from allo.outbox.models import Message
from inventory.staff import filters
from reservations import services as reservations
from reservations.models import ListClosure, Reservation, WaitingEntry
from reservations.staff import verbs as by_staff
from reservations.staff import waiting_lists
from reservations.staff.waiting_entries import STATES
from reservations.waiting import rules, services
from tests.joining import all_held, asked, given_back, waiting
from tests.shopping import words
from tests.staff.people import signed_in
from tests.stock import pass_time, stocked
from tests.waiting import offer_of

pytestmark = pytest.mark.django_db

LISTS, ENTRIES = "/admin/reservations/listclosure/", "/admin/reservations/waitingentry/"
State = WaitingEntry.State


def in_list(client, **query: object) -> list[str]:
    """The addresses in the list of entries, in its order."""
    page = client.get(ENTRIES, query).content.decode()
    return re.findall(r'<td class="field-e_mail">([^<]*)<', page)


def test_a_list_is_closed_with_a_reason_and_reopened(admin_client) -> None:
    row = stocked(1)
    held = all_held(row)
    for email in ("asha@example.org", "ravi@example.org", "devi@example.org"):
        waiting(row, email)
    given_back(held)
    assert "Tidal 2 wait 1 has an offer Entries Close" in words(admin_client.get(LISTS))
    close = f"{LISTS}close/?id={row.product_id}"
    question = words(admin_client.get(close))
    assert "2 wait: all these places end, and each person gets a mail with the reason." in question
    empty = admin_client.post(close, {"id": row.product_id, "reason": " "})
    assert empty.status_code == 422
    assert not ListClosure.objects.exists()
    form = {"id": row.product_id, "reason": "The maker has stopped."}
    done = admin_client.post(close, form, follow=True)
    assert "Closed the list of Tidal." in words(done)
    assert "Tidal closed The maker has stopped. 1 has an offer Entries Reopen" in words(done)
    closure = ListClosure.objects.get()
    assert (closure.actor, closure.reason) == (User.objects.get(username="admin"), form["reason"])
    assert Message.objects.filter(kind="list_closed").count() == 2
    again = admin_client.post(close, form, follow=True)
    assert "The list of Tidal was closed already." in words(again)
    reopen = f"{LISTS}reopen/?id={row.product_id}"
    assert "Places that ended do not come back." in words(admin_client.get(reopen))
    for said in ("Reopened the list of Tidal.", "The list of Tidal was open already."):
        assert said in words(admin_client.post(reopen, {"id": row.product_id}, follow=True))
    closure.refresh_from_db()
    assert closure.reopened_by == closure.actor
    assert rules.closure_of(row.product_id) is None
    log = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    assert list(log) == [
        "Closed the list of Tidal: The maker has stopped.", "Reopened the list of Tidal",
    ]  # fmt: skip


def test_the_longest_lists_are_shown_with_all_who_wait_and_how_many_lists_are_not(
    admin_client, monkeypatch
) -> None:
    monkeypatch.setattr(waiting_lists, "MOST_SHOWN", 2)
    for product, number in {"tidal": 2, "moon": 2, "reef": 3}.items():
        row = stocked(1, product=product)
        held = all_held(row)
        for n in range(number):
            waiting(row, f"{product}{n}@example.org")
        if product == "tidal":
            given_back(held)
    page = admin_client.get(LISTS)
    assert f'{ENTRIES}?product=reef"' in page.content.decode()
    assert "Now Reef 3 wait Entries Close Moon 2 wait Entries Close These" in words(page)
    assert "There is 1 more: each product's page leads to its list." in words(page)


@pytest.mark.parametrize("named", ["", "x", "9" * 30, "-1", "\0"])
def test_a_page_for_no_product_is_refused(admin_client, named) -> None:
    for verb in ("close", "reopen"):
        assert admin_client.get(f"{LISTS}{verb}/", {"id": named}).status_code == 400
    assert admin_client.post(f"{LISTS}close/", {"id": "1", "reason": "x"}).status_code == 404


def offered(state: State) -> Reservation:
    """An offer of a product of its own, to the address that is called so."""
    row = stocked(1, product=state)
    held = all_held(row)
    entry = waiting(row, f"{state}@example.org")
    given_back(held)
    return offer_of(entry)


def test_entries_are_in_their_order_and_found_by_state_product_and_address(
    admin_client, monkeypatch
) -> None:
    offered(State.OFFERED)
    reservations.release(reservation_id=offered(State.DECLINED).pk)
    reservations.confirm(reservation_id=offered(State.BOUGHT).pk)
    boss = User.objects.create_user("boss")
    taken = offered(State.TAKEN_BACK)
    by_staff.release(reservation_id=taken.pk, actor=boss, reason="Dropped")
    lapsed = offered(State.LAPSED)
    pass_time(4000, pk=lapsed.pk)
    reservations.get(reservation_id=lapsed.pk)
    closed = waiting(stocked(0, product="closed"), "closed@example.org")
    services.close(product_id=closed.product_id, reason="No more", by=boss)
    reef = stocked(0, product="reef")
    for email in ("first@example.org", "second@example.org"):
        waiting(reef, email)
    services.leave(entry_id=waiting(reef, "left@example.org").pk)
    asked(reef, "unconfirmed@example.org")
    for state in STATES:
        one = [f"{state}@example.org"]
        waits = ["first@example.org", "second@example.org"]
        assert in_list(admin_client, state=state) == (waits if state == State.WAITING else one)
        found = WaitingEntry.objects.filter(STATES[state])
        assert {entry.state for entry in found} == {state}
    assert in_list(admin_client, product="reef", state="waiting") == waits
    assert in_list(admin_client, q="Second@EXAMPLE.org") == ["second@example.org"]
    assert in_list(admin_client, q="second") == []
    # Of however many products.
    monkeypatch.setattr(filters, "VALUES_AT_MOST", 1)
    assert in_list(admin_client, product="vases") == in_list(admin_client)


def test_a_products_page_leads_to_those_who_wait_for_it(admin_client) -> None:
    row = stocked(0)
    page = reverse("admin:catalog_product_change", args=[row.product_id])
    assert "Waiting list" not in words(admin_client.get(page)).replace("Waiting lists", "")
    for email in ("asha@example.org", "ravi@example.org"):
        waiting(row, email)
    answer = admin_client.get(page)
    assert "Waiting list: 2" in words(answer)
    assert f"{ENTRIES}?product=tidal&amp;state=waiting" in answer.content.decode()
    close = f"{LISTS}close/?id={row.product_id}&amp;back={page}"
    assert close in answer.content.decode()
    assert close not in signed_in("Viewer").get(page).content.decode()
    assert "Waiting list: 2" not in words(signed_in("Packer").get(page))


def test_nobody_changes_an_entry_in_the_admin(admin_client) -> None:
    entry = waiting(stocked(0))
    address = reverse("admin:reservations_waitingentry_change", args=[entry.pk])
    assert admin_client.get(address).status_code == 200
    assert admin_client.post(address, {"email": "x@example.org"}).status_code == 403
    assert admin_client.post(f"{ENTRIES}add/", {}).status_code == 403
    assert (
        admin_client.post(address.replace("change", "delete"), {"post": "yes"}).status_code == 403
    )
