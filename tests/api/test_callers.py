"""The kinds of callers, their rights, and what is logged of their calls."""

import logging
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.core.signing import TimestampSigner
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from allo.api_kit.api import NOTHING
from allo.redis_client import redis_client
from catalog.models import Product
from inventory import shelves
from inventory.models import Warehouse
from reservations.api import tokens
from reservations.models import ApiToken, IdempotencyKey, Reservation
from tests.shopping import holding, press_reserve
from tests.stock import pass_time, stocked

pytestmark = pytest.mark.django_db

ALL = ("read", "reserve", "confirm", "manage")


def reserve(client: Client, token: str = "", quantity: int = 1, key: str = "", **more: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    headers |= {"Idempotency-Key": key} if key else {}
    body = {"product": "tidal", "quantity": quantity, **more}
    return client.post("/api/reservations", body, "application/json", headers=headers)


def act(client: Client, where: str, token: str = "", method: str = "POST", **more: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return client.generic(method, where, headers=headers, **more)


def merchant(*scopes: str, **more: Any) -> str:
    return tokens.create(name="Chai & Co", scopes=scopes or ALL, **more)[1]


def test_an_anonymous_caller_gets_a_token_for_its_reservation_alone(client) -> None:
    stocked(5)
    held = reserve(client)
    where, token = held.headers["Location"], held.json()["token"]
    assert held.headers["Cache-Control"] == "private, no-store"
    assert held.headers["Content-Security-Policy"] == NOTHING
    assert act(client, where, method="GET").status_code == 404
    assert act(client, where, token, "GET").json()["status"] == "pending"
    assert act(client, f"{where}/renew", token).json()["renewals"] == 1
    other = reserve(client).headers["Location"]
    assert act(client, other, token, "GET").status_code == 404
    refused = reserve(client, token)
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    assert act(client, f"{where}/confirm", token).json()["status"] == "confirmed"
    late = act(client, f"{where}/release", token)
    assert (late.status_code, late.json()["reservation_status"]) == (409, "confirmed")


def test_a_code_that_a_warehouse_has_no_more_is_answered_with_where_to_read_it(client) -> None:
    row = stocked(5)
    assert reserve(client, warehouse="blr-01").status_code == 201
    Warehouse.objects.filter(pk=row.warehouse_id).update(code="blr-02")
    shelves.forget()
    refused = reserve(client, warehouse="blr-01")
    says = "There is no warehouse with this code for this product; its stock names the codes."
    assert (refused.status_code, refused.json()["detail"]) == (404, says)
    assert reserve(client, warehouse="blr-02").status_code == 201


@pytest.mark.parametrize("gone", ["product", "warehouse"])
def test_a_lost_answer_is_given_again_though_its_product_is_gone(client, gone) -> None:
    row, key = stocked(5), str(uuid4())
    first = reserve(client, warehouse="blr-01", key=key)
    assert first.status_code == 201
    if gone == "product":
        Product.objects.filter(pk=row.product_id).update(published_at=None)
    else:
        Warehouse.objects.filter(pk=row.warehouse_id).update(code="blr-02")
    shelves.forget()
    again = reserve(client, warehouse="blr-01", key=key)
    assert (again.status_code, again.content) == (201, first.content)
    other = reserve(client, warehouse="blr-01", quantity=2, key=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    assert reserve(client, warehouse="blr-01", key=str(uuid4())).status_code == 404


def test_a_holds_token_reads_how_it_ended_and_expires_after_a_day(client, monkeypatch) -> None:
    stocked(5)
    held = reserve(client)
    where, token = held.headers["Location"], held.json()["token"]
    pass_time(601)
    assert act(client, where, token, "GET").json()["status"] == "expired"
    gone = act(client, f"{where}/confirm", token)
    assert (gone.status_code, gone.json()["code"]) == (410, "reservation_expired")
    monkeypatch.setattr(TimestampSigner, "timestamp", lambda self: "1")
    old = tokens.hold_token(Reservation.objects.get().pk)
    for wrong in (old, token[:-1], token + "x", "hold_", "nonsense", "allo_nonsense", "allo_\xff"):
        refused = act(client, where, wrong, "GET")
        assert (refused.status_code, refused.json()["code"]) == (401, "invalid_token")
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_pages_and_api_show_a_browser_the_same_holds(client) -> None:
    stocked(5), stocked(5, product="reef")
    held = holding(client, stocked(5, product="moon"))
    answer = reserve(client)
    assert answer.json()["token"] is None
    assert set(Reservation.objects.values_list("holder", flat=True)) == {held.holder}
    assert act(client, f"/api/reservations/{held.pk}", method="GET").status_code == 200
    assert client.get(f"/checkout/{answer.json()['id']}/").status_code == 200


@pytest.mark.parametrize("scope", ALL)
def test_a_scope_allows_only_its_own_calls(client, scope) -> None:
    stocked(9)
    where = reserve(client, merchant()).headers["Location"]
    # Another merchant's token: its scope is checked before its ownership.
    token = merchant(scope)
    calls = {
        "read": act(client, where, token, "GET"),
        "reserve": reserve(client, token),
        "confirm": act(client, f"{where}/confirm", token),
        "manage": act(client, f"{where}/renew", token),
    }
    for needed, answer in calls.items():
        if needed == scope:
            assert answer.status_code == (201 if scope == "reserve" else 404)
        else:
            assert (answer.status_code, answer.json()["scope"]) == (403, needed)


def test_each_customer_of_a_merchant_is_a_shopper_and_all_share_the_tokens_cap(client) -> None:
    stocked(99)
    token = merchant(max_units=5)
    first, again = (reserve(client, token, 2, customer="asha") for _ in range(2))
    assert first.json()["id"] == again.json()["id"]
    assert reserve(client, token, 2, customer="ravi").status_code == 201
    refused = reserve(client, token, 2)
    assert (refused.status_code, refused.json()["code"]) == (409, "limit_reached")
    assert (refused.json()["limit"], refused.json()["maximum"]) == ("max_units", 5)
    assert reserve(client, token, 1).status_code == 201
    assert Reservation.objects.filter(address__startswith="token:").count() == 3


def test_a_merchants_key_is_its_own_and_its_holds_too(client) -> None:
    stocked(9)
    one, other = merchant(), merchant()
    key = str(uuid4())
    held = reserve(client, one, key=key)
    replay = reserve(client, one, key=key)
    assert replay.content == held.content
    assert replay.headers["Idempotent-Replay"] == "true"
    assert IdempotencyKey.objects.get().body == held.content.decode()
    assert reserve(client, other, key=key).json()["id"] != held.json()["id"]
    assert act(client, held.headers["Location"], other, "GET").status_code == 404
    conflict = reserve(client, one, 2, key=key)
    assert (conflict.status_code, conflict.json()["code"]) == (409, "idempotency_conflict")


def test_a_revoked_token_is_refused_from_its_next_call_on(client) -> None:
    stocked(9)
    token = merchant()
    assert reserve(client, token).status_code == 201
    tokens.revoke(ApiToken.objects.get())
    assert reserve(client, token).json()["code"] == "invalid_token"


def test_last_use_is_written_at_most_once_a_minute(client, django_assert_num_queries) -> None:
    token = merchant()
    act(client, f"/api/reservations/{uuid4()}", token, "GET")
    assert ApiToken.objects.get().last_used_at is not None
    with django_assert_num_queries(2):  # the token, the reservation
        act(client, f"/api/reservations/{uuid4()}", token, "GET")


@pytest.fixture
def _one_an_hour(settings) -> None:
    settings.RESERVE_RATE = settings.API_RATE = "1/h"
    for name in redis_client().scan_iter("rate:*"):
        redis_client().delete(name)


@pytest.mark.usefixtures("_one_an_hour")
def test_writes_are_counted_per_address_and_a_merchants_by_its_own_rate(client) -> None:
    stocked(99)
    assert reserve(client).status_code == 201
    refused = reserve(client)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) == refused.json()["retry_after"] > 0
    token = merchant(rate="2/h")
    assert [reserve(client, token).status_code for _ in range(3)] == [201, 201, 429]
    assert client.get("/api/products").status_code == 200


@pytest.mark.usefixtures("_one_an_hour")
@pytest.mark.parametrize("is_browser", [True, False])
def test_another_network_does_not_reset_the_count_of_a_browser_or_a_hold(
    client, is_browser
) -> None:
    row = stocked(9)
    if is_browser:
        where, token = f"/api/reservations/{holding(client, row).pk}", ""
    else:
        held = reserve(client)
        where, token = held.headers["Location"], held.json()["token"]
    renewed = [
        act(client, f"{where}/renew", token, REMOTE_ADDR=f"10.9.8.{n}").status_code
        for n in range(2)
    ]
    assert renewed == [200, 429]


@pytest.mark.usefixtures("_one_an_hour")
def test_guessing_tokens_is_limited_and_a_valid_one_is_still_accepted(client, settings) -> None:
    stocked(9)
    settings.LOGIN_RATE = "2/h"
    where = f"/api/reservations/{uuid4()}"
    codes = [act(client, where, f"allo_{n}", "GET").json()["code"] for n in range(3)]
    assert codes == ["invalid_token", "invalid_token", "rate_limited"]
    assert act(client, where, "allo_x", "GET").headers["Retry-After"]
    assert act(client, where, merchant(), "GET").status_code == 404
    elsewhere = {"REMOTE_ADDR": "10.9.8.7", "HTTP_AUTHORIZATION": "Bearer allo_x"}
    assert client.get(where, **elsewhere).json()["code"] == "invalid_token"


@pytest.mark.usefixtures("_one_an_hour")
def test_without_redis_no_caller_is_limited(client, without_redis) -> None:
    stocked(99)
    assert [reserve(client).status_code for _ in range(3)] == [201] * 3


def test_staff_make_a_token_see_it_once_and_revoke_it(admin_client) -> None:
    form = {"name": "Chai & Co", "scopes": ["read", "reserve"], "rate": "60/m", "max_units": "50"}
    made = admin_client.post(reverse("admin:reservations_apitoken_add"), form)
    secret = made.context["secret"]
    assert secret in made.content.decode()
    assert "no-store" in made.headers["Cache-Control"]
    token = ApiToken.objects.get()
    assert token.created_by is not None
    assert secret not in str(vars(token)) + str(admin_client.session.items())
    listed = admin_client.get(reverse("admin:reservations_apitoken_changelist"))
    shown = admin_client.get(reverse("admin:reservations_apitoken_change", args=[token.pk]))
    assert secret not in listed.content.decode() + shown.content.decode()
    assert tokens.merchant_of(secret) == token
    action = {"action": "revoke", "_selected_action": [str(token.pk)]}
    address = reverse("admin:reservations_apitoken_changelist")
    asked = admin_client.post(address, action, follow=True)
    assert "cannot be undone" in asked.content.decode()
    assert tokens.merchant_of(secret)
    question = reverse("admin:reservations_apitoken_revoke")
    for _ in range(2):
        admin_client.post(question, {"id": token.pk})
    assert tokens.merchant_of(secret) is None
    assert LogEntry.objects.filter(change_message__contains="Revoked").count() == 1
    again = admin_client.post(f"{address}?state=live", action, follow=True)
    assert f"<li>{escape(str(token))} is revoked</li>" in again.content.decode()


@pytest.mark.parametrize("rate", ["fast", "0/m", "1/d", ""])
def test_an_invalid_rate_is_refused(admin_client, rate) -> None:
    form = {"name": "x", "scopes": ["read"], "rate": rate, "max_units": "50"}
    assert admin_client.post(reverse("admin:reservations_apitoken_add"), form).status_code == 200
    assert not ApiToken.objects.exists()


def test_logs_contain_no_secret(client, caplog, monkeypatch) -> None:
    """Neither successful calls, nor refused ones, nor errors log a secret."""
    caplog.set_level(logging.DEBUG)
    stocked(5)
    token, key = merchant(), f"key-{uuid4()}"
    held = reserve(client, key=key)
    own = held.json()["token"]
    reserve(client, token, key=key)
    press_reserve(client, Reservation.objects.all()[0].inventory, 99, idempotency_key=key)
    act(client, held.headers["Location"], own + "x", "GET")
    client.post("/api/reservations", {}, "text/plain", headers={"Idempotency-Key": key})
    with monkeypatch.context() as patch:
        patch.setattr("reservations.services.perform_once", lambda *_: 1 / 0)
        assert reserve(client, token, key=key).status_code == 500
    session = client.cookies["sessionid"].value if "sessionid" in client.cookies else "none-yet"
    secrets = (token, key, own, session, "Chai")
    ours = [r for r in caplog.records if not r.name.startswith("django.db")]
    assert [record for record in ours for secret in secrets if secret in record.getMessage()] == []
    assert "an API call failed: ZeroDivisionError" in caplog.text


def test_a_form_accepts_the_key_header_and_marks_a_replay(client) -> None:
    row, key = stocked(5), str(uuid4())
    first, again = (
        press_reserve(client, row, idempotency_key="", headers={"Idempotency-Key": key})
        for _ in range(2)
    )
    assert "Idempotent-Replay" not in first.headers
    assert again.headers["Idempotent-Replay"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
