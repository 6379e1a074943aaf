"""Whose network a request is counted under; a header that anyone can write counts for nothing."""

import pytest

from allo.http.address import client_network


@pytest.mark.parametrize(
    ("remote", "network"),
    [
        ("203.0.113.9", "203.0.113.9/32"),
        ("::ffff:203.0.113.9", "203.0.113.9/32"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", ""),
        ("unix:", ""),
    ],
)
def test_the_network_of_an_address(rf, settings, remote, network) -> None:
    settings.TRUSTED_PROXIES = 0
    assert client_network(rf.get("/", REMOTE_ADDR=remote)) == network


@pytest.mark.parametrize(
    ("proxies", "forwarded", "network"),
    [
        (0, "198.51.100.1", "203.0.113.9/32"),
        (1, "198.51.100.1", "198.51.100.1/32"),
        (1, "192.0.2.66, 198.51.100.1", "198.51.100.1/32"),
        (2, "192.0.2.66, 198.51.100.1, 198.51.100.2", "198.51.100.1/32"),
        (2, "198.51.100.1", "198.51.100.1/32"),
        (1, "nonsense", ""),
    ],
)
def test_proxies_are_counted_from_the_right(rf, settings, proxies, forwarded, network) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = rf.get("/", REMOTE_ADDR="203.0.113.9", headers={"X-Forwarded-For": forwarded})
    assert client_network(request) == network


def test_without_the_header_the_connection_itself_counts(rf, settings) -> None:
    settings.TRUSTED_PROXIES = 1
    assert client_network(rf.get("/", REMOTE_ADDR="203.0.113.9")) == "203.0.113.9/32"
