"""Lockouts after wrong passwords: five lock out the name at that network, twenty under any names
lock out the network. Nobody else is locked out."""

from datetime import timedelta
from threading import BoundedSemaphore

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from allo.redis_client import redis_client
from allo.staff import login
from catalog.models import Product
from tests.staff.people import signed_in
from tests.stock import stocked

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def _people() -> None:
    for name in ("asha", "ravi"):
        User.objects.create_user(name, password="open sesame", is_staff=True)


def attempt(name: str, password: str, client: Client | None = None, **more):
    return (client or Client()).post(LOGIN, {"username": name, "password": password}, **more)


def lock_out(name: str = "asha", **more):
    for _ in range(4):
        assert attempt(name, "wrong", **more).status_code == 200
    return attempt(name, "wrong", **more)


def test_the_fifth_wrong_password_is_answered_with_429_and_when_to_come_back() -> None:
    response = lock_out()
    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= 900
    page = response.content.decode()
    assert "Too many wrong passwords." in page
    assert "Try again in 15 minutes. Until then this name cannot" in page
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_after_five_failures_the_right_password_is_refused_too() -> None:
    lock_out()
    client = Client()
    assert attempt("asha", "open sesame", client).status_code == 429
    assert "_auth_user_id" not in client.session


def test_other_names_at_the_same_address_are_not_locked_out() -> None:
    lock_out()
    assert attempt("ravi", "open sesame").status_code == 302


def test_the_same_name_at_another_address_is_not_locked_out() -> None:
    lock_out()
    assert attempt("asha", "open sesame", REMOTE_ADDR="10.9.8.7").status_code == 302


def test_a_forged_address_does_not_lift_a_lockout() -> None:
    for n in range(4):
        attempt("asha", "wrong", headers={"X-Forwarded-For": f"10.0.0.{n}"})
    response = attempt("asha", "wrong", headers={"X-Forwarded-For": "10.0.0.99"})
    assert response.status_code == 429


def test_failures_from_ipv6_count_per_network() -> None:
    for n in range(4):
        attempt("asha", "wrong", REMOTE_ADDR=f"2001:db8::{n}")
    assert attempt("asha", "wrong", REMOTE_ADDR="2001:db8::99").status_code == 429


def test_those_whose_address_cannot_be_known_are_counted_together() -> None:
    for odd in ("", "unix:", "unknown", "_hidden"):
        assert attempt("asha", "wrong", REMOTE_ADDR=odd).status_code == 200
    assert attempt("asha", "wrong", REMOTE_ADDR="203.0.113").status_code == 429
    assert attempt("asha", "open sesame", REMOTE_ADDR="203.0.113.9").status_code == 302


def test_a_success_resets_the_count_of_failures() -> None:
    for _ in range(4):
        attempt("asha", "wrong")
    assert attempt("asha", "open sesame").status_code == 302
    for _ in range(4):
        assert attempt("asha", "wrong").status_code == 200


def test_a_lockout_ends_after_15_minutes(settings) -> None:
    lock_out()
    settings.AXES_COOLOFF_TIME = timedelta(0)
    assert attempt("asha", "open sesame").status_code == 302


def test_odd_user_names_are_no_error() -> None:
    for name in ("\0", "x" * 5000, "'; drop", "<img>"):
        assert attempt(name, "wrong").status_code == 200


def test_a_shoppers_page_queries_no_sign_in_attempts(django_assert_num_queries) -> None:
    stocked(1)
    with django_assert_num_queries(3):
        Client().get("/")


def test_managers_see_sign_in_attempts_without_passwords() -> None:
    attempt("asha", "hunter2")
    page = signed_in("Manager").get("/admin/axes/accessattempt/").content.decode()
    assert "asha" in page
    assert "hunter2" not in page


@pytest.fixture
def hashes(monkeypatch) -> list[str]:
    """The passwords that were hashed."""
    made: list[str] = []
    encode = MD5PasswordHasher.encode

    def count(self, password, salt):
        made.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", count)
    return made


def test_many_names_from_one_network_are_locked_out_before_any_hash(hashes) -> None:
    answers = [attempt(f"name-{n}", "wrong").status_code for n in range(20)]
    assert answers == [200] * 19 + [429]
    hashes.clear()
    response = attempt("asha", "open sesame")
    assert response.status_code == 429
    assert "Too many wrong passwords." in response.content.decode()
    assert "Try again in 15 minutes. Until then nobody can" in response.content.decode()
    assert hashes == []


def test_a_limit_of_0_locks_no_network_out(settings) -> None:
    settings.LOGIN_MAX_WRONG_PER_NETWORK = 0
    for number in range(21):
        attempt(f"nobody-{number}", "wrong")
    assert attempt("nobody-22", "wrong").status_code == 200


def test_only_that_network_is_locked_out() -> None:
    for n in range(20):
        attempt(f"name-{n}", "wrong")
    assert attempt("asha", "open sesame", REMOTE_ADDR="10.9.8.7").status_code == 302


@pytest.mark.parametrize(("near", "most"), [("2001:db8:0:7::", 80), ("2001:db8:0:207::", 320)])
def test_the_networks_of_one_line_are_locked_out_together(near, most) -> None:
    AccessAttempt.objects.create(username="x", ip_address=near, failures_since_start=most - 1)
    here = "2001:db8:0:6::1"
    assert attempt("ravi", "open sesame", REMOTE_ADDR=here).status_code == 302
    AccessAttempt.objects.update(failures_since_start=most)
    refused = attempt("asha", "open sesame", REMOTE_ADDR=here)
    assert refused.status_code == 429
    assert "Try again in 15 minutes. Until then nobody can" in refused.content.decode()
    assert attempt("asha", "open sesame", REMOTE_ADDR="2001:db8:1::1").status_code == 302


def test_a_success_does_not_reset_the_networks_count() -> None:
    for n in range(19):
        attempt(f"name-{n}", "wrong")
    assert attempt("ravi", "open sesame").status_code == 302
    assert attempt("asha", "wrong").status_code == 429


def test_the_wait_ends_when_the_oldest_mistakes_are_a_quarter_of_an_hour_old() -> None:
    for n in range(20):
        attempt(f"name-{n}", "wrong")
    AccessAttempt.objects.filter(username="name-0").update(
        attempt_time=timezone.now() - timedelta(minutes=10)
    )
    assert 200 < int(attempt("asha", "open sesame").headers["Retry-After"]) <= 300
    AccessAttempt.objects.filter(username="name-0").update(
        attempt_time=timezone.now() - timedelta(minutes=16)
    )
    assert attempt("asha", "open sesame").status_code == 302


def test_an_unknown_name_takes_as_long_and_gets_the_same_response(hashes) -> None:
    def tries(name):
        hashes.clear()
        answers = [attempt(name, "wrong") for _ in range(6)]
        return [(a.status_code, len(a.content)) for a in answers], list(hashes)

    assert tries("asha") == tries("nope")


def test_attempts_are_limited_right_or_wrong(settings, monkeypatch, hashes) -> None:
    settings.LOGIN_RATE = "2/h"
    monkeypatch.setattr("allo.web.rate.time.time", lambda: 7201.0)
    redis_client().delete("rate:login:127.0.0.1/32:2")
    assert [attempt("asha", "open sesame").status_code for _ in range(2)] == [302, 302]
    hashes.clear()
    response = attempt("asha", "open sesame")
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "3599"
    assert "Try again in 3599 seconds" in response.content.decode()
    assert hashes == []


def test_only_two_hashes_are_made_at_once(monkeypatch, hashes) -> None:
    """From however many networks passwords are guessed, the other threads keep serving shoppers."""
    monkeypatch.setattr("allo.staff.login._hashing", BoundedSemaphore(2))
    with login._hashing, login._hashing:
        response = attempt("asha", "open sesame")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
    assert hashes == []
    assert not AccessAttempt.objects.exists()
    assert attempt("asha", "open sesame").status_code == 302


def test_failures_of_the_old_password_count_like_those_of_signing_in(hashes) -> None:
    client = Client()
    attempt("asha", "open sesame", client)

    def change(old):
        form = {"old_password": old, "new_password1": "N3w-secret!", "new_password2": "N3w-secret!"}
        return client.post("/admin/password_change/", form)

    assert [change("wrong").status_code for _ in range(5)] == [200, 200, 200, 200, 429]
    assert "N3w-secret!" not in AccessAttempt.objects.get().post_data
    hashes.clear()
    assert change("open sesame").status_code == 429
    assert hashes == []
    AccessAttempt.objects.all().delete()
    assert "This is not your old password." in change("wrong").content.decode()
    assert change("open sesame").status_code == 302
    assert User.objects.get(username="asha").check_password("N3w-secret!")


@pytest.mark.parametrize(
    "target",
    [
        "/nothing/", "/admin/nothing/", "/admin/logout/", "/admin/auth/user/", "/admin/auth/",
        "/admin/catalog/product/add/", "//evil.example/", "https://evil.example/", "\\\\evil", "",
        "/p/nothing/", "/p/nothing/reserve/", "/?category=nothing", "/?page=x", "/docs/nothing/",
        f"/checkout/{UNKNOWN}/", "/api/products/nothing", "/media/nothing.webp",
        "/admin/reservations/auditrun/run/", "/admin/auth/user/1/", "/p/%00/",
        f"/checkout/{UNKNOWN}/confirm/",
    ],
)  # fmt: skip
def test_signing_in_never_redirects_to_a_page_that_the_user_would_not_get(target) -> None:
    client = Client()
    form = {"username": "asha", "password": "open sesame", "next": target}
    assert client.post(LOGIN, form).headers["Location"] == "/admin/"


def test_signing_in_redirects_to_the_requested_page() -> None:
    User.objects.get(username="asha").groups.add(Group.objects.get(name="Manager"))
    product = stocked(1).product
    Product.objects.filter(pk=product.pk).update(slug="ebb")
    for target in (
        "/p/ebb/",
        "/p/tidal/",
        f"/admin/catalog/product/{product.pk}/change/",
        "/admin/catalog/product/?q=a",
        "/admin/catalog/product/add/",
        "/admin/axes/",
        "/",
    ):
        form = {"username": "asha", "password": "open sesame", "next": target}
        assert Client().post(LOGIN, form).headers["Location"] == target
