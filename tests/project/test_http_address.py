"""The network that a request is counted by; a forged header has no effect."""

from collections.abc import Iterator

import pytest

from allo.redis_client import redis_client
from allo.web import address
from allo.web.address import UNKNOWN, client_network, scope_network
from reservations.models import IdempotencyKey, Reservation
from tests.shopping import holding, press_reserve
from tests.stock import stocked

WRITTEN = [
    ("203.0.113.9", "203.0.113.9/32"),
    ("203.0.113.9:50001", "203.0.113.9/32"),
    ("[203.0.113.9]:50001", "203.0.113.9/32"),
    ("::ffff:203.0.113.9", "203.0.113.9/32"),
    ("[::ffff:203.0.113.9]:443", "203.0.113.9/32"),
    ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
    ("[2001:db8:1:2::6]", "2001:db8:1:2::/64"),
    ("[2001:db8:1:2::6]:443", "2001:db8:1:2::/64"),
    ("fe80::1%eth0", "fe80::/64"),
    ("[fe80::1%25eth0]:443", "fe80::/64"),
    ("", UNKNOWN),
    ("unknown", UNKNOWN),
    ("unix:", UNKNOWN),
    ("_hidden", UNKNOWN),
    ("203.0.113", UNKNOWN),
    ("203.0.113.9.1:80", UNKNOWN),
    ("[]:443", UNKNOWN),
    ("[", UNKNOWN),
    ("::1::", UNKNOWN),
    ("203.0.113.9/32", UNKNOWN),
]


@pytest.fixture(autouse=True)
def _nobody_met() -> Iterator[None]:
    address._met_unknown.clear()
    yield
    address._met_unknown.clear()


@pytest.mark.parametrize(("written", "network"), WRITTEN)
def test_an_address_gives_its_network(rf, settings, written, network) -> None:
    settings.TRUSTED_PROXIES = 0
    assert client_network(rf.get("/", REMOTE_ADDR=written)) == network
    assert scope_network({"client": (written, 50001), "headers": []}) == network
    settings.TRUSTED_PROXIES = 1
    request = rf.get("/", REMOTE_ADDR="192.0.2.1", headers={"X-Forwarded-For": f"x, {written} "})
    assert client_network(request) == network


@pytest.mark.parametrize(
    ("proxies", "forwarded", "network"),
    [
        (0, "198.51.100.1", "203.0.113.9/32"),
        (1, "198.51.100.1", "198.51.100.1/32"),
        (1, "192.0.2.66, 198.51.100.1", "198.51.100.1/32"),
        (2, "192.0.2.66, 198.51.100.1, 198.51.100.2", "198.51.100.1/32"),
        (2, "192.0.2.66,198.51.100.1:50001,[2001:db8::1]:443", "198.51.100.1/32"),
        (2, "198.51.100.1", "198.51.100.1/32"),
        (1, "nonsense", UNKNOWN),
    ],
)
def test_proxies_are_counted_from_the_right(rf, settings, proxies, forwarded, network) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = rf.get("/", REMOTE_ADDR="203.0.113.9", headers={"X-Forwarded-For": forwarded})
    assert client_network(request) == network
    for headers in (
        [(b"x-forwarded-for", forwarded.encode())],
        [(b"x-forwarded-for", hop.encode()) for hop in forwarded.split(",")],
    ):
        scope = {"client": ("203.0.113.9", 50001), "headers": [(b"host", b"x"), *headers]}
        assert scope_network(scope) == network


def test_without_the_header_the_connection_itself_counts(rf, settings) -> None:
    settings.TRUSTED_PROXIES = 1
    assert client_network(rf.get("/", REMOTE_ADDR="203.0.113.9")) == "203.0.113.9/32"


def test_a_scope_without_a_client_is_a_unix_sockets() -> None:
    assert scope_network({"client": None, "headers": []}) == UNKNOWN
    assert scope_network({"headers": []}) == UNKNOWN


def test_an_unknown_address_is_logged_once_and_escaped(rf, caplog) -> None:
    for odd in ("unknown\r\nINFO forged", "unix:", "x" * 9000):
        client_network(rf.get("/", REMOTE_ADDR=odd))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "'unknown\\r\\nINFO forged'" in caplog.text
    assert "TRUSTED_PROXIES" in caplog.text


# --- one shared network, with limits --------------------------------------------------------------

ODD = ("", "unix:", "unknown", "_hidden", "203.0.113")
RANDOM = "0b8f5a3e-6f0d-4f1c-8a52-90b1f1a0c7d4"


def hold(client, where: str, key: str = "", quantity: int = 1):
    body = {"product": "tidal", "quantity": quantity}
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(
        "/api/reservations", body, "application/json", headers=headers, REMOTE_ADDR=where
    )


@pytest.mark.django_db
def test_clients_with_unknown_addresses_share_one_cap(client, settings) -> None:
    settings.RESERVATION_MAX_UNITS_PER_ADDRESS = 4
    row = stocked(9)
    assert [hold(client, where).status_code for where in ODD] == [201, 201, 201, 201, 409]
    client.get("/p/tidal/reserve/")
    client.defaults["REMOTE_ADDR"] = "unix:"
    refused = press_reserve(client, row)
    assert refused.context["refusal"].code == "limit_reached"
    client.defaults["REMOTE_ADDR"] = "203.0.113.9"
    assert holding(client, row).address == "203.0.113.9/32"
    assert Reservation.objects.filter(address=UNKNOWN).count() == 4


@pytest.mark.django_db
def test_clients_with_unknown_addresses_share_one_rate(client, settings) -> None:
    settings.RESERVE_RATE = "2/h"
    for name in redis_client().scan_iter("rate:*"):
        redis_client().delete(name)
    stocked(9)
    assert [hold(client, where).status_code for where in ODD] == [201, 201, 429, 429, 429]
    assert hold(client, "203.0.113.9").status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize(
    "key",
    [
        "1", "order-1", RANDOM.replace("-", ""), f"{{{RANDOM}}}", f"urn:uuid:{RANDOM}",
        "00000000-0000-0000-0000-000000000000", "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "0b8f5a3e-6f0d-4f1c-ca52-90b1f1a0c7d4", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
    ],
)  # fmt: skip
def test_with_an_unknown_address_a_guessable_key_is_refused(client, key) -> None:
    stocked(9)
    refused = hold(client, "unix:", key)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_idempotency_key")
    assert "random UUID" in refused.json()["detail"]
    assert not IdempotencyKey.objects.exists()
    assert not Reservation.objects.exists()
    assert hold(client, "203.0.113.9", key).status_code == 201


@pytest.mark.django_db
def test_with_an_unknown_address_and_a_random_key_a_retry_acts_once(client) -> None:
    stocked(9)
    for key in (RANDOM, RANDOM.upper().replace("0B8", "1C9")):
        first, again = hold(client, "", key), hold(client, "unknown", key)
        assert first.status_code == 201
        assert first.content == again.content
    assert Reservation.objects.count() == 2


@pytest.mark.django_db
def test_known_callers_may_use_any_key_with_an_unknown_address(client) -> None:
    stocked(9)
    client.get("/p/tidal/reserve/")
    assert hold(client, "unix:", "order-1").status_code == 201


@pytest.mark.django_db
def test_readyz_warns_after_the_first_unknown_address(client) -> None:
    before = client.get("/readyz", REMOTE_ADDR="").json()["warnings"]
    stocked(1)
    hold(client, "unix:")
    report = client.get("/readyz")
    assert report.status_code == 200
    (news,) = [warning for warning in report.json()["warnings"] if warning not in before]
    assert "addresses of some clients cannot be known" in news
