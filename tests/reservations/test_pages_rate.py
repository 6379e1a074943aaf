"""Attempts to reserve are counted per network, in Redis, and never without it."""

import pytest

from allo.redis_client import redis_client
from allo.web.rate import seconds_to_wait
from reservations.models import Reservation
from tests.running import takes_less_than
from tests.shopping import HTMX, press_reserve
from tests.stock import stocked

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _limit(settings, monkeypatch) -> None:
    settings.RESERVE_RATE = "2/h"
    monkeypatch.setattr("allo.web.rate.time.time", lambda: 7201.0)
    for network in ("127.0.0.1/32", "203.0.113.9/32"):
        redis_client().delete(*(f"rate:reserve:{network}:{window}" for window in (2, 120, 121)))


def test_an_attempt_over_the_limit_gets_the_time_to_wait(client) -> None:
    row = stocked(5)
    assert [press_reserve(client, row, 9).status_code for _ in range(3)] == [409, 409, 429]
    response = press_reserve(client, row)
    assert response.headers["Retry-After"] == "3599"
    assert "Try again in 3599 seconds" in " ".join(response.content.decode().split())
    assert not Reservation.objects.exists()


def test_htmx_gets_the_form_with_the_choices_and_the_time_to_wait(client) -> None:
    row = stocked(5)
    for _ in range(2):
        press_reserve(client, row, 9)
    response = press_reserve(client, row, 4, headers=HTMX)
    assert response.status_code == 429
    assert response.context["refusal"].code == "rate_limited"
    assert response.context["form"]["quantity"].value() == "4"
    assert response.headers["Retry-After"] == "3599"


def test_a_new_cookie_does_not_reset_the_count_but_another_network_does(client, settings) -> None:
    settings.TRUSTED_PROXIES = 1
    row = stocked(5)
    for _ in range(3):
        response = press_reserve(type(client)(), row, 9, headers={"X-Forwarded-For": "203.0.113.9"})
    assert response.status_code == 429
    other = press_reserve(client, row, headers={"X-Forwarded-For": "127.0.0.1"})
    assert other.status_code == 303


def test_the_next_window_starts_at_0(monkeypatch) -> None:
    assert [seconds_to_wait("1/m", "reserve", "203.0.113.9/32") for _ in range(2)] == [0, 59]
    monkeypatch.setattr("allo.web.rate.time.time", lambda: 7260.0)
    assert seconds_to_wait("1/m", "reserve", "203.0.113.9/32") == 0


def test_a_count_expires_with_its_window() -> None:
    seconds_to_wait("2/m", "reserve", "203.0.113.9/32")
    assert 0 < redis_client().ttl("rate:reserve:203.0.113.9/32:120") <= 60


def test_a_rate_of_off_counts_nothing(client, settings) -> None:
    settings.RESERVE_RATE = "off"
    row = stocked(5)
    assert {press_reserve(client, row, 9).status_code for _ in range(5)} == {409}


def test_without_redis_nobody_is_limited(client, without_redis) -> None:
    row = stocked(5)

    def press_three_times() -> None:
        assert [press_reserve(client, row, 9).status_code for _ in range(3)] == [409] * 3

    assert takes_less_than(1, press_three_times)
