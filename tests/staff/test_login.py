"""Guessing passwords: five times, then that name from that place has to wait. Nobody else does."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.staff.people import signed_in
from tests.stock import stocked

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/"


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
    assert "Five times wrong." in page
    assert "15 minutes" in page
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_then_even_the_right_one_does_not_open() -> None:
    lock_out()
    client = Client()
    assert attempt("asha", "open sesame", client).status_code == 429
    assert "_auth_user_id" not in client.session


def test_nobody_else_is_locked_out_at_the_same_address() -> None:
    lock_out()
    assert attempt("ravi", "open sesame").status_code == 302


def test_nor_the_same_person_at_another() -> None:
    lock_out()
    assert attempt("asha", "open sesame", REMOTE_ADDR="10.9.8.7").status_code == 302


def test_a_forged_address_does_not_help() -> None:
    for n in range(4):
        attempt("asha", "wrong", headers={"X-Forwarded-For": f"10.0.0.{n}"})
    response = attempt("asha", "wrong", headers={"X-Forwarded-For": "10.0.0.99"})
    assert response.status_code == 429


def test_of_ipv6_the_network_counts() -> None:
    for n in range(4):
        attempt("asha", "wrong", REMOTE_ADDR=f"2001:db8::{n}")
    assert attempt("asha", "wrong", REMOTE_ADDR="2001:db8::99").status_code == 429


def test_those_whose_address_cannot_be_known_are_counted_together() -> None:
    for odd in ("", "unix:", "unknown", "_hidden"):
        assert attempt("asha", "wrong", REMOTE_ADDR=odd).status_code == 200
    assert attempt("asha", "wrong", REMOTE_ADDR="203.0.113").status_code == 429
    assert attempt("asha", "open sesame", REMOTE_ADDR="203.0.113.9").status_code == 302


def test_a_success_forgives_what_was_wrong_before() -> None:
    for _ in range(4):
        attempt("asha", "wrong")
    assert attempt("asha", "open sesame").status_code == 302
    for _ in range(4):
        assert attempt("asha", "wrong").status_code == 200


def test_after_a_quarter_of_an_hour_it_opens(settings) -> None:
    lock_out()
    settings.AXES_COOLOFF_TIME = timedelta(0)
    assert attempt("asha", "open sesame").status_code == 302


def test_strange_names_are_no_error() -> None:
    for name in ("\0", "x" * 5000, "'; drop", "<img>"):
        assert attempt(name, "wrong").status_code == 200


def test_a_shoppers_page_asks_the_counter_nothing(django_assert_num_queries) -> None:
    stocked(1)
    with django_assert_num_queries(2):
        Client().get("/")


def test_who_tried_is_shown_to_managers_without_any_password() -> None:
    attempt("asha", "hunter2")
    page = signed_in("Manager").get("/admin/axes/accessattempt/").content.decode()
    assert "asha" in page
    assert "hunter2" not in page
