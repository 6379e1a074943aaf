"""The pages and the mail of the waiting list."""

import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from allo.live.tokens import MAX_AGE_SECONDS
from allo.outbox.models import Message
from allo.redis_client import redis_client
from catalog.models import Product
from catalog.templatetags.money import inr
from checkout.models import Order
from inventory.models import Inventory
from reservations import services as reservations
from reservations.clock.expiry import expire_due
from reservations.exceptions import Busy, Storage
from reservations.models import AdoptedHolder, Reservation, WaitingEntry
from reservations.staff import verbs as by_staff
from reservations.waiting import links, services
from tests.accounts.signing_in import page_of, sent, signed_in, text_of
from tests.checkout.test_pages_bag import pay
from tests.joining import (
    EMAIL,
    all_held,
    asked,
    entry_in,
    given_back,
    join,
    link_in,
    offered_beside,
    opened,
    press,
    shown,
    waiting,
)
from tests.shopping import HTMX, aged, holding, key, press_reserve, words
from tests.shopping import press as press_checkout
from tests.smtp import mailbox
from tests.stock import pass_time, stocked
from tests.waiting import offer_of

pytestmark = pytest.mark.django_db

State = WaitingEntry.State
LIST = "/p/tidal/waiting-list/"


def state(entry: WaitingEntry) -> State:
    return services.get(entry_id=entry.pk).state


def test_the_checkout_says_who_gets_what_is_given_up(client, settings) -> None:
    settings.RESERVATION_MAX_RENEWALS = 0
    row = stocked(2)
    held = holding(client, row, 2)
    pages = [f"/checkout/{held.pk}/", f"/checkout/{held.pk}/cancel/"]
    for page in pages:
        assert "back on the shelf" in words(client.get(page)), page
    waiting(row)
    for page in pages:
        assert "to the waiting list" in words(client.get(page)), page
        assert "back on the shelf" not in words(client.get(page)), page


def test_from_the_form_to_the_order_by_two_mails(client, settings) -> None:
    settings.SITE_URL = "https://shop.example"
    row = stocked(2)
    held = all_held(row)
    with mailbox(settings) as box:
        answer = join(client, row, quantity=2)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"{LIST}?sent=1")
        assert "Look into your mail." in client.get(f"{LIST}?sent=1").content.decode()
        [first] = sent(box)
        assert (first["Subject"], first["To"]) == ("Confirm your place: Tidal", EMAIL)
        link = link_in(first)
        entry = services.get(entry_id=entry_in(link))

        # Programs that check mail follow links: that confirms nothing.
        phone = Client()
        assert phone.get(link).headers["Location"] == links.path_to(entry)
        assert "Your place on the waiting list for Tidal begins when" in shown(phone, entry)
        assert state(entry) == State.UNCONFIRMED
        assert press(phone, entry, "confirm").status_code == 303
        assert "You are first in line." in shown(phone, entry)
        assert "Nobody else waits for Tidal now." in shown(phone, entry)

        entry = given_back(held)
        [second] = sent(box)
    assert second["Subject"] == "It is your turn: Tidal"
    assert link_in(second) == link
    assert f"2 × Tidal, {inr(385_000)} each: {inr(770_000)}" in text_of(second)
    assert "2 from blr-01 are held for you until" in page_of(second)
    laptop = Client()
    laptop.get(link_in(second))
    page = shown(laptop, entry)
    assert "It is your turn. 2 × Tidal from blr-01 are held for you until" in page
    assert "Pay ₹ 7,700" in page
    assert entry.offer
    assert press_checkout(laptop, entry.offer, "confirm", quantity=2).status_code == 303
    assert "You bought 2 of Tidal." in shown(laptop, entry)
    number = Order.objects.get().number
    assert laptop.get(f"/orders/{number}/").status_code == 200
    assert number in laptop.get("/orders/").content.decode()
    assert phone.get(f"/checkout/{entry.offer_id}/").status_code == 303
    assert Client().get(links.path_to(entry)).status_code == 404


def test_a_person_who_is_on_the_list_learns_it_by_mail_alone(client, settings) -> None:
    row = stocked(1)
    all_held(row)
    waiting(row, quantity=2, exactly=True)
    answers = [join(client, row, "Asha@EXAMPLE.org"), join(client, row, "ravi@example.org")]
    parts = [join(client, row, email, headers=HTMX) for email in (EMAIL, "ravi@example.org")]
    for known, unknown in (answers, parts):
        assert known.status_code == unknown.status_code
        assert known.headers.items() == unknown.headers.items()
        text = unknown.content.decode().replace("ravi@", "asha@")
        assert known.content.decode() == text
    with mailbox(settings) as box:
        mails = sent(box)
    subjects = sorted(mail["Subject"] for mail in mails if mail["To"] == EMAIL)
    assert subjects == ["You are on the waiting list: Tidal"] * 2
    assert "You are on it already, and keep your place: exactly 2" in text_of(mails[0])


def test_a_double_click_writes_one_mail(client) -> None:
    row = stocked(0)
    twice = key()
    for _ in range(2):
        assert join(client, row, idempotency_key=twice).status_code == 303
    assert Message.objects.filter(kind="list_join").count() == 1
    # To another address, and for another person with the same key, there is one more.
    join(client, row, "ravi@example.org", idempotency_key=twice)
    assert Message.objects.filter(kind="list_join").count() == 2
    assert join(client, row, idempotency_key="").status_code == 400


@pytest.mark.parametrize("why", ["units are free", "the network is full", "the list is closed"])
def test_a_refusal_does_not_tell_who_is_on_the_list(client, settings, why) -> None:
    row = stocked(1)
    waiting(row, quantity=2, exactly=True)
    if why != "units are free":
        all_held(row)
    if why == "the network is full":
        settings.WAITING_PER_NETWORK = 1
        waiting(row, "devi@example.org", network="127.0.0.1/32")
    if why == "the list is closed":
        boss = User.objects.create_user("boss")
        services.close(product_id=row.product_id, reason="No more", by=boss)
    pages = [join(client, row, email) for email in (EMAIL, "ravi@example.org")]
    assert [page.status_code for page in pages] == [409, 409]
    assert not Message.objects.filter(kind="list_join").exists()


@pytest.mark.parametrize("known", [True, False])
def test_nobody_fills_a_mailbox(client, settings, known) -> None:
    """And one network leaves some of its mails to the address's person elsewhere."""
    settings.TRUSTED_PROXIES = 1
    row = stocked(1)
    all_held(row)
    if known:
        waiting(row)
    home = {"X-Forwarded-For": "203.0.113.9"}
    for n in range(6):
        if n == 4:
            assert join(client, row).status_code == 409
        headers = home if n >= 4 else None
        email = EMAIL if n % 2 else "ASHA@example.org"
        assert join(client, row, email, headers=headers).status_code == 303
    refused = join(client, row, headers={"X-Forwarded-For": "198.51.100.7"})
    assert refused.status_code == 409
    assert "So many mails went to this address lately" in refused.content.decode()
    assert Message.objects.filter(kind="list_join").count() == 6
    assert join(client, row, "ravi@example.org").status_code == 303
    Message.objects.update(sent_at=timezone.now(), context={})
    assert join(client, row).status_code == 409


def test_too_many_from_one_network_are_refused_for_a_while(client, settings, monkeypatch) -> None:
    row = stocked(0)
    monkeypatch.setattr("allo.web.rate.time.time", lambda: 7201.0)
    redis_client().delete("rate:code:127.0.0.1/32:2")
    settings.CODE_RATE = "2/h"
    for n in range(2):
        assert join(client, row, f"a{n}@example.org").status_code == 303
    for headers in (None, HTMX):
        refused = join(client, row, headers=headers)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3599")
    assert WaitingEntry.objects.count() == 2


def test_when_there_is_some_the_page_leads_there_and_nobody_joins(client) -> None:
    row = stocked(1)
    page = client.get(LIST).content.decode()
    assert "There is some right now, so you need not wait." in page
    assert re.search(r'<div class="stack"[^>]* data-when="all_held sold_out"\s+hidden>', page)
    refused = join(client, row)
    assert refused.status_code == 409
    assert "Reserve it now." in refused.content.decode()
    assert not WaitingEntry.objects.exists()
    panel = client.get("/p/tidal/").content.decode()
    assert re.search(r'<div class="panel-action"[^>]*all_held sold_out" hidden>', panel)
    all_held(row)
    assert 'id="join-link"' in client.get("/p/tidal/").content.decode()
    assert 'data-when="all_held sold_out" >' in client.get("/p/tidal/").content.decode()
    assert join(client, row).status_code == 303


def test_nobody_waits_before_an_opening(client) -> None:
    row = stocked(0)
    Product.objects.update(opens_at=timezone.now() + timedelta(days=1))
    page = client.get(LIST).content.decode()
    assert "Nobody can hold any before." in page
    assert len(re.findall(r'data-when="all_held sold_out"\s+hidden>', page)) == 1
    assert 'data-when="all_held sold_out" hidden>' in client.get("/p/tidal/").content.decode()
    assert join(client, row).status_code == 409
    assert not WaitingEntry.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("quantity", "0", "At least 1."),
        ("quantity", "11", "At most 10."),
        ("quantity", "x", "Enter a whole number"),
        ("warehouse", "bom-01", "This warehouse does not have it."),
        ("email", "asha", "This is not an e-mail address"),
        ("email", "", "Fill this in."),
    ],
)
def test_a_mistake_is_named_and_what_was_typed_stays(client, field, value, said) -> None:
    row = stocked(0)
    answer = join(client, row, **{"quantity": 3, field: value})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert said in page
    if field != "email":
        assert f'value="{EMAIL}"' in page
    if field != "quantity":
        assert 'value="3"' in page
    assert not WaitingEntry.objects.exists()


def test_a_warehouse_and_an_exact_number_are_waited_for(client, settings) -> None:
    here, there = stocked(3), stocked(3, warehouse="del-01")
    mine, theirs = all_held(here), all_held(there)
    with mailbox(settings) as box:
        join(client, here, quantity=3, fewer="", warehouse=str(here.pk))
        [mail] = sent(box)
    assert "exactly 3, from blr-01" in text_of(mail)
    entry = services.get(entry_id=entry_in(link_in(mail)))
    opened(entry, client)
    press(client, entry, "confirm")
    given_back(theirs)
    assert state(entry) == State.WAITING
    reservations.change(reservation_id=mine.pk, quantity=1)
    services.serve(here.product_id)
    page = shown(client, entry)
    assert "exactly 3" in page
    # Fewer than it takes are for everybody.
    assert "5 are free right now, but not 3 in blr-01." in page
    entry = given_back(mine)
    assert entry.offer
    assert (entry.offer.quantity, entry.offer.inventory) == (3, here)


@pytest.mark.parametrize(
    ("here_alone", "wanted", "says"),
    [
        (True, {"quantity": 3}, "3 are free right now, but none in blr-01."),
        (False, {"quantity": 4, "exactly": True}, "3 are free right now, but not 4 in one wareh"),
    ],
)
def test_the_page_says_why_what_is_free_is_not_offered(client, here_alone, wanted, says) -> None:
    here, _ = stocked(3), stocked(3, warehouse="del-01")
    all_held(here)
    entry = waiting(here, warehouse_id=here.warehouse_id if here_alone else None, **wanted)
    assert says in shown(opened(entry, client), entry)


def test_fewer_are_offered_to_one_who_takes_them_and_the_page_says_so(client) -> None:
    row = stocked(3)
    held = all_held(row)
    entry = waiting(row, quantity=3)
    reservations.change(reservation_id=held.pk, quantity=1)
    services.serve(row.product_id)
    page = shown(opened(entry, client), entry)
    assert "2 × Tidal from blr-01 are held for you" in page
    assert "You wanted up to 3, and this is what there is." in page


def test_places_are_shown_and_move_up(client) -> None:
    row = stocked(0)
    first, second, third = (waiting(row, f"a{n}@example.org") for n in range(3))
    assert "You are 3rd in line. 3 wait for Tidal now." in shown(opened(third, client), third)
    press(opened(first), first, "leave")
    assert "You are 2nd in line. 2 wait for Tidal now." in shown(client, third)
    # Nobody sees another's place.
    assert client.get(links.path_to(second)).status_code == 404


def test_a_poll_of_a_place_gets_204_until_something_changes(client) -> None:
    row = stocked(1)
    held = all_held(row)
    first, second = (waiting(row, f"a{n}@example.org") for n in range(2))
    opened(second, client)
    address = links.path_to(second)
    for change in (
        lambda: press(opened(first), first, "leave"),
        lambda: given_back(held),
        lambda: press(client, second, "decline"),
        lambda: Product.objects.update(published_at=None),
    ):
        page = client.get(address)
        seen = {"seen": page.context["seen"]}
        assert f'hx-get="{address}?{urlencode(seen)}"' in page.content.decode()
        assert client.get(address, seen, headers=HTMX).status_code == 204
        change()
        assert client.get(address, seen, headers=HTMX).status_code == 200


def test_a_place_that_stays_open_gets_new_tokens_in_time(client) -> None:
    row = stocked(1)
    all_held(row)
    entry = waiting(row)
    opened(entry, client)
    address = links.path_to(entry)
    page = client.get(address)
    for age, status in ((MAX_AGE_SECONDS * 0.4, 204), (MAX_AGE_SECONDS * 0.6, 200)):
        seen = aged(page.context["seen"], age)
        poll = client.get(address, {"seen": seen}, headers=HTMX)
        assert poll.status_code == status
    assert 'data-live="holder:' in poll.content.decode()
    assert client.get(address, {"seen": poll.context["seen"]}, headers=HTMX).status_code == 204
    # By the page of an earlier version, or something else.
    state = seen.partition(".")[0]
    for seen in (state, f"{state}.", f"{state}.x", f"{state}.{'9' * 5000}", "", "."):
        assert client.get(address, {"seen": seen}, headers=HTMX).status_code == 200


def test_one_click_leaves_and_nothing_is_offered_any_more(client) -> None:
    row = stocked(1)
    held = all_held(row)
    entry = waiting(row)
    opened(entry, client)
    for _ in range(2):
        assert press(client, entry, "leave").status_code == 303
        assert "You have left the list." in shown(client, entry)
    reservations.release(reservation_id=held.pk)
    assert services.serve(row.product_id) == 0
    assert press(client, entry, "confirm").headers["Location"] == links.path_to(entry)
    assert state(entry) == State.LEFT
    assert not Message.objects.filter(kind="list_offer").exists()


def test_one_click_declines_and_the_next_is_served(client) -> None:
    row = stocked(1)
    held = all_held(row)
    first, second = waiting(row), waiting(row, "ravi@example.org")
    given_back(held)
    opened(first, client)
    # A page that is older than the offer: leaving would lose what is held.
    assert "It is your turn." in client.get(
        press(client, first, "leave").url
    ).content.decode().replace("&nbsp;", " ")
    assert state(first) == State.OFFERED
    question = client.get(f"/checkout/{offer_of(first).pk}/cancel/").content.decode()
    assert "It goes to the next on the waiting list at once" in question
    for _ in range(2):
        assert press(client, first, "decline").status_code == 303
    assert "You let it go." in shown(client, first)
    services.serve(row.product_id)
    assert (state(first), state(second)) == (State.DECLINED, State.OFFERED)
    # Those who declined may join again, at the end, and blocks nobody.
    assert join(client, row).status_code == 303


def test_an_offer_that_lapsed_says_so_and_cannot_be_paid(client) -> None:
    row = stocked(1)
    held = all_held(row)
    entry = waiting(row)
    given_back(held)
    opened(entry, client)
    pass_time(3601)
    assert "The time ran out. It was held for you until" in shown(client, entry)
    assert press(client, entry, "decline").status_code == 303
    assert state(entry) == State.LAPSED
    checkout = client.get(f"/checkout/{offer_of(entry).pk}/").content.decode()
    assert "The time ran&nbsp;out." in checkout
    assert "Tidal went to the next on the waiting list at" in checkout


def test_what_staff_took_back_says_why(client, settings) -> None:
    row = stocked(1)
    held = all_held(row)
    entry = waiting(row)
    given_back(held)
    offer = offer_of(entry)
    by_staff.release(
        reservation_id=offer.pk,
        actor=User.objects.create_user("boss"),
        reason="Dropped",
        cause=Reservation.Cause.DAMAGED,
    )
    page = shown(opened(entry, client), entry)
    assert "Our staff ended what was held for you. It turned out to be damaged." in page
    Message.objects.update(sent_at=offer.created_at, context={})
    with mailbox(settings) as box:
        expire_due()
        expire_due()
        [mail] = sent(box)
    assert mail["Subject"] == "Your offer has ended: Tidal"
    words = text_of(mail)
    assert "Our staff have ended that. Nothing was charged" in words
    assert client.get(link_in(mail)).headers["Location"] == links.path_to(entry)


def test_a_product_out_of_the_shop_offers_nothing_and_says_so(client) -> None:
    row = stocked(1)
    held = all_held(row)
    entry = waiting(row)
    opened(entry, client)
    Product.objects.update(published_at=None)
    reservations.release(reservation_id=held.pk)
    assert services.serve(row.product_id) == 0
    assert "Tidal was taken out of the shop" in shown(client, entry)
    assert client.get(LIST).status_code == 404
    assert join(client, row).status_code == 404
    Product.objects.update(published_at=timezone.now())
    assert services.serve(row.product_id) == 1
    assert "It is your turn." in shown(client, entry)


def test_the_button_of_mail_programs_ends_a_place_without_a_cookie(client, settings) -> None:
    settings.SITE_URL = "https://shop.example"
    row = stocked(1)
    held = all_held(row)
    strict = Client(enforce_csrf_checks=True)
    with mailbox(settings) as box:
        join(client, row)
        [mail] = sent(box)
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        address = str(mail["List-Unsubscribe"]).replace("\n", "").strip("<> ")
        assert address.startswith("https://shop.example/waiting-list/")
        there = address.removeprefix("https://shop.example")
        entry = services.get(entry_id=entry_in(there))
        # A browser gets the page with the button, and nothing is ended by looking.
        assert client.get(there).headers["Location"] == links.path_to(entry)
        press(client, entry, "confirm")
        given_back(held)
        [offer] = sent(box)
    assert str(offer["List-Unsubscribe"]) == str(mail["List-Unsubscribe"])
    form = {"List-Unsubscribe": "One-Click"}
    assert state(entry) == State.OFFERED
    for _ in range(2):
        done = strict.post(there, form)
        assert (done.status_code, done.content) == (200, b"You are off the list.\n")
    assert state(entry) == State.DECLINED
    forged = f"{links.path_to(entry, 'unsubscribe')}?key=x"
    assert strict.post(forged, form).status_code == strict.get(forged).status_code == 404
    other = waiting(row, "ravi@example.org", quantity=2, exactly=True)
    assert strict.post(f"{links.path_to(other, 'unsubscribe')}?key={links.key_of(other)}").content
    assert state(other) == State.LEFT


@pytest.mark.parametrize("refusal", [Busy, Storage])
def test_what_cannot_be_done_now_says_so_and_changes_nothing(client, monkeypatch, refusal) -> None:
    row = stocked(0)
    entry, late = waiting(row), asked(row, "ravi@example.org")
    opened(entry, client)
    opened(late, client)

    def refuse(*args: object, **more: object) -> None:
        raise refusal

    for verb in ("join", "confirm", "leave"):
        monkeypatch.setattr(services, verb, refuse)
    one_click = f"{links.path_to(entry, 'unsubscribe')}?key={links.key_of(entry)}"
    for answer in (
        press(client, late, "confirm"),
        press(client, entry, "leave"),
        Client().post(one_click),
        join(client, row, "devi@example.org"),
    ):
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
    part = join(client, row, "devi@example.org", headers=HTMX)
    assert part.status_code == 503
    assert 'value="devi@example.org"' in part.content.decode()
    assert (state(entry), state(late)) == (State.WAITING, State.UNCONFIRMED)
    assert not Message.objects.exists()


def test_keys_that_are_forged_or_of_another_entry_open_nothing(client) -> None:
    row = stocked(0)
    mine, other = waiting(row), waiting(row, "ravi@example.org")
    place = links.path_to(mine)
    for wrong in ("x", links.key_of(other), links.key_of(mine)[:-1]):
        assert client.get(f"{place}?key={wrong}").status_code == 404
    for verb in ("confirm", "leave", "decline"):
        assert press(client, mine, verb).status_code == 404
        assert press(opened(mine), mine, verb).status_code == 303
    # Without its key the address opens nothing elsewhere.
    assert Client().get(place).status_code == 404
    for verb in ("confirm", "leave", "decline"):
        assert opened(other).get(links.path_to(other, verb)).headers["Location"] == links.path_to(
            other
        )
    assert state(other) == State.WAITING


def test_an_account_joins_without_a_mail_and_finds_its_place(settings) -> None:
    row = stocked(1)
    held = all_held(row)
    mine = signed_in()
    page = mine.get(LIST).content.decode()
    assert "We write to <strong>asha@example.org</strong>, the address of your account." in page
    answer = join(mine, row, "ravi@example.org")
    entry = WaitingEntry.objects.get()
    assert (entry.email, answer.headers["Location"]) == (EMAIL, links.path_to(entry))
    assert not Message.objects.filter(kind="list_join").exists()
    assert "You are first in line." in shown(mine, entry)
    assert "You wait for" in mine.get("/account/").content.decode()
    # A second time leads to the same place, as does a link from a mail to another browser.
    assert join(mine, row).headers["Location"] == links.path_to(entry)
    given_back(held)
    offer = offer_of(entry)
    laptop = signed_in()
    assert f"/checkout/{offer.pk}/" in laptop.get("/account/").content.decode()
    assert laptop.get(f"/checkout/{offer.pk}/").status_code == 200
    assert "1 held" in re.sub(r"<[^>]+>", "", laptop.get("/").content.decode())
    assert signed_in("ravi@example.org").get(links.path_to(entry)).status_code == 404
    assert "You wait for" not in laptop.get("/account/").content.decode()


def test_signing_in_leaves_an_offer_to_its_link(client) -> None:
    row = stocked(1)
    held = all_held(row)
    entry = waiting(row)
    given_back(held)
    opened(entry, client)
    signed_in("ravi@example.org", client)
    assert not AdoptedHolder.objects.filter(holder__startswith="list:").exists()
    offer = offer_of(entry)
    assert offer.holder == entry.holder
    # The session of this browser goes on, with what it opened.
    checkout = client.get(f"/checkout/{offer.pk}/").content.decode()
    assert "2 extensions left, for later: it lasts longer than one now would make it" in checkout
    client.post("/account/sign-out/")
    assert client.get(f"/checkout/{offer.pk}/").status_code == 404


def test_an_offer_that_was_paid_for_with_other_holds_leads_to_their_order(client) -> None:
    mine, entry = offered_beside(client)
    pay(client, mine, offer_of(entry))
    order = Order.objects.get()
    # The browser's, which lasts longer than what an entry has.
    assert order.holder == mine.holder
    elsewhere = opened(entry)
    checkout = elsewhere.get(f"/checkout/{entry.offer_id}/")
    assert checkout.headers["Location"] == f"/orders/{order.number}/"
    assert elsewhere.get(f"/orders/{order.number}/").status_code == 200
    other = waiting(Inventory.objects.get(product=entry.product), "ravi@example.org")
    assert opened(other).get(f"/orders/{order.number}/").status_code == 404


def test_a_closed_list_says_why_and_takes_nobody(client, settings) -> None:
    row = stocked(1)
    ended = holding(client, row)
    pass_time(601, pk=ended.pk)
    expire_due()
    all_held(row)
    entry, late = waiting(row), asked(row, "ravi@example.org")
    left = waiting(row, "lena@example.org")
    assert press(opened(left), left, "leave").status_code == 303
    boss = User.objects.create_user("boss")
    services.close(product_id=row.product_id, reason="The maker has stopped.", by=boss)
    with mailbox(settings) as box:
        [mail] = sent(box)
    assert (mail["Subject"], mail["To"]) == ("The waiting list is closed: Tidal", EMAIL)
    assert "The reason: The maker has stopped." in text_of(mail)
    assert mail["List-Unsubscribe"] is None
    assert "The shop closed the waiting list for Tidal" in shown(opened(entry, client), entry)
    ended_place = shown(opened(left), left)
    assert "The waiting list is closed: The maker has stopped." in ended_place
    assert "Join again" not in ended_place
    assert press(opened(late), late, "confirm").status_code in (303, 409)
    assert state(late) != State.WAITING
    page = client.get(LIST).content.decode()
    assert "The maker has stopped." in page
    assert "Join the waiting list" not in page
    pages = ("/p/tidal/", "/p/tidal/reserve/", f"/checkout/{ended.pk}/")
    for page in map(client.get, pages):
        assert "The waiting list is closed: The maker has stopped." in words(page)
        assert LIST not in page.content.decode()
        assert "goes to the waiting list" not in words(page)
    assert join(client, row).status_code == 409
    services.reopen(product_id=row.product_id, by=boss)
    for page in map(client.get, pages):
        assert f'href="{LIST}"' in page.content.decode()
    assert join(client, row).status_code == 303


def test_what_is_free_for_the_list_is_refused_to_others_who_can_join(client) -> None:
    row = stocked(2)
    held = all_held(row)
    waiting(row, "ravi@example.org", quantity=2, exactly=True)
    client.get("/p/tidal/reserve/")
    reservations.release(reservation_id=held.pk)
    answer = press_reserve(client, row)
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "What is free goes to those on the waiting list first." in page
    assert f'href="{LIST}"' in page


def test_a_browser_that_only_opened_an_entry_is_nobody_to_the_api(client) -> None:
    row, other = stocked(0), stocked(1, product="reef")
    opened(waiting(row), client)
    assert client.get("/p/reef/").status_code == 200
    client.cookies.pop("allo_visitor", None)
    token = client.get("/checkout/").cookies.get("csrftoken") or client.cookies.get("csrftoken")
    headers = {"X-CSRFToken": token.value} if token else {}
    body = {"product": other.product.slug, "quantity": 1}
    answer = client.post(
        "/api/reservations", body, content_type="application/json", headers=headers
    )
    assert answer.status_code == 201, answer.content


ENDS = {
    State.OFFERED: lambda _: None,
    State.DECLINED: lambda offer: reservations.release(reservation_id=offer.pk),
    State.LAPSED: lambda _: pass_time(3601),
    State.BOUGHT: lambda offer: reservations.confirm(reservation_id=offer.pk),
}


@pytest.mark.parametrize(
    ("end", "subjects", "said"),
    [
        (State.OFFERED, ["It is your turn: Tidal"] * 2, "1 from blr-01 is held for you until"),
        (State.DECLINED, ["Waiting list: Tidal", "Your offer has ended: Tidal"], "We are sorry."),
        (State.LAPSED, ["Waiting list: Tidal", "Your offer has ended: Tidal"], "We are sorry."),
        (State.BOUGHT, ["Waiting list: Tidal", "It is yours: Tidal"], "have bought it"),
    ],
)
def test_a_mail_that_was_held_up_tells_what_became_of_it(
    client, settings, end, subjects, said
) -> None:
    row = stocked(1)
    held = all_held(row)
    join(client, row)
    entry = services.confirm(entry_id=WaitingEntry.objects.get().pk)
    given_back(held)
    ENDS[end](offer_of(entry))
    with mailbox(settings) as box:
        mails = sent(box)
    assert [mail["Subject"] for mail in mails] == subjects
    assert said in text_of(mails[1])
    assert said in page_of(mails[1])


@pytest.mark.parametrize("name", ["<b>Ås & 王</b>", "Tidal\r\nBcc: all@example.org"])
def test_a_products_name_breaks_no_mail(client, settings, name) -> None:
    row = stocked(1)
    held = all_held(row)
    Product.objects.update(name=name)
    with mailbox(settings) as box:
        join(client, row)
        [first] = sent(box)
        entry = services.confirm(entry_id=entry_in(link_in(first)))
        given_back(held)
        [second] = sent(box)
        offer = offer_of(entry)
        reservations.release(reservation_id=offer.pk)
        waiting(row, quantity=2, exactly=True)
        services.close(
            product_id=row.product_id, reason="<i>No</i> more", by=User.objects.create_user("b")
        )
        mails = [first, second, *sent(box)]
    for mail in mails:
        assert mail["Bcc"] is None
        assert "<b>" not in page_of(mail)
        assert "<i>" not in page_of(mail)
        assert "{" not in re.sub(r"<style>.*</style>", "", page_of(mail), flags=re.DOTALL)
