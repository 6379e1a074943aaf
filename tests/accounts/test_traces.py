"""Nothing of a person stands where others read: in logs, addresses, what is shared, what is
published."""

import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from allo.codes.models import EmailCode
from allo.codes.secret import code_of, key_of
from allo.redis_client import redis_client
from allo.web.shared.front import front
from reservations.waiting import services
from tests import joining
from tests.accounts.signing_in import CODE, ask, link_in, sent, type_code
from tests.joining import join, opened
from tests.shopping import BUYER, HTMX, holding, key, press
from tests.smtp import mailbox
from tests.stock import stocked
from tests.web.test_shared_pages import ask as ask_the_front

pytestmark = pytest.mark.django_db(transaction=True)

EMAIL = "asha.marker@example.org"
PERSON = {**BUYER, "name": "Asha Marker", "email": EMAIL, "line1": "12 Marker Road"}
LINKS = re.compile(r'(?:href|action|src|hx-\w+)="([^"]*)"')


class Watched(Client):
    """A browser whose addresses are noted: those it asks for, is sent to, and finds on pages."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def request(self, **request: Any) -> Any:
        response = super().request(**request)
        self.addresses += [f"{request['PATH_INFO']}?{request.get('QUERY_STRING', '')}"]
        self.addresses += [response.headers.get("Location", "")]
        if not response.streaming:
            self.addresses += LINKS.findall(response.content.decode(errors="replace"))
        return response


@pytest.fixture(autouse=True)
def _is_as_in_production(settings) -> Iterator[None]:
    """Pages are shared, and attempts are counted."""
    settings.SHARED_PAGES = True
    settings.RESERVE_RATE = settings.API_RATE = settings.LOGIN_RATE = "1000/h"
    settings.FIND_ORDER_RATE = settings.CODE_RATE = "1000/h"
    redis_client().flushdb()
    front()._store.reset()
    yield
    redis_client().flushdb()


def the_whole_journey(client: Watched, settings: Any) -> set[str]:
    """Signs in, holds, pays, looks at the account, leaves. Returns what is secret of it."""
    row, bought_key = stocked(9), key()
    with mailbox(settings) as box:
        holding(client, stocked(5, product="bowl"))
        join(client, stocked(0, product="jug"), EMAIL)
        place = joining.link_in(*sent(box))
        opened(services.get(entry_id=joining.entry_in(place)))
        ask(client, EMAIL)
        code = EmailCode.objects.get()
        link = link_in(*sent(box))
        client.get(CODE)
        type_code(client, "000000" if code_of(code.pk) != "000000" else "000001")
        type_code(client, code_of(code.pk))
        held = holding(client, row)
        client.get(f"/checkout/{held.pk}/")
        press(client, held, "contact", **PERSON)
        press(client, held, "confirm", **{**PERSON, "phone": "1"})
        press(client, held, "confirm", **PERSON, remember="on", idempotency_key=bought_key)
        order = client.get("/orders/").context["page"].orders[0]
        for page in (
            f"/orders/{order.number}/", "/account/", "/account/addresses/", "/account/sessions/",
            "/account/e-mail/", "/account/export/", "/reservations/", "/bag/", "/p/tidal/",
            "/account/nowhere/", f"/orders/{order.number}/?key=forged",
        ):  # fmt: skip
            client.get(page, headers=HTMX if page == "/bag/" else {})
        client.post("/orders/find/", {"number": order.number, "email": EMAIL})
        sent(box)
        cookies = {
            client.cookies[name].value
            for name in (django_settings.VISITOR_COOKIE_NAME, "sessionid", "csrftoken")
            if name in client.cookies
        }
        _ask_for_shared_pages(client)
        client.post("/account/delete/", {"word": "delete"})
        sent(box)
    signed = [address.partition("key=")[2] for address in (link, place)]
    return {code_of(code.pk), key_of(code.pk), *signed, bought_key, *cookies}


def _ask_for_shared_pages(client: Client) -> None:
    kept = {name: cookie.value for name, cookie in client.cookies.items()}
    cookie = "; ".join(f"{name}={kept[name]}" for name in kept if not name.startswith("allo_"))
    for page in ("/", "/p/tidal/", "/privacy/", "/account/"):
        for _second_time_it_is_kept in range(2):
            ask_the_front(page, HTTP_COOKIE=cookie)


def test_no_log_address_cache_or_event_has_anything_of_a_person(settings, caplog) -> None:
    client = Watched()
    subscription = redis_client().pubsub(ignore_subscribe_messages=True)
    subscription.subscribe(settings.LIVE_CHANNEL)
    with caplog.at_level(logging.INFO):
        secrets = the_whole_journey(client, settings)
    events = "\n".join(_until_now(subscription, settings.LIVE_CHANNEL))
    assert len(secrets) == 7
    stand = {
        "logs": caplog.text,
        "addresses": "\n".join(client.addresses),
        "pages": "\n".join(map(str, front()._store._kept.values())),
        "Redis": "\n".join(_in_redis()),
        "events": events,
    }
    assert {name for name, text in stand.items() if not text} == set()
    marks = {"asha", "marker", "98450", "450 12345", *secrets}
    for name, text in stand.items():
        assert [mark for mark in marks if _stands(mark, text)] == [], name


def _until_now(subscription: Any, channel: str) -> Iterator[str]:
    redis_client().publish(channel, "the end")
    for message in subscription.listen():
        if message["data"] == b"the end":
            subscription.close()
            return
        yield str(message["data"])


def _stands(mark: str, text: str) -> bool:
    """As a word of its own: six digits stand in many numbers."""
    return bool(re.search(rf"(?<!\w){re.escape(mark)}(?!\w)", text, re.IGNORECASE))


def _in_redis() -> Iterator[str]:
    for name in redis_client().scan_iter():
        yield f"{name!r} {redis_client().dump(name)!r}"


def test_a_mark_would_be_found() -> None:
    """The control of the test above."""
    client = Watched()
    client.get("/account/sign-in/?next=/orders/&email=asha@example.org")
    assert _stands("asha", "\n".join(client.addresses))
    redis_client().set("rate:code:asha@example.org", 1)
    assert _stands("asha", "\n".join(_in_redis()))
