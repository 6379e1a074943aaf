"""Where the processes of `make up` listen, by which names, and whether there is a bank."""

import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from django.http.request import split_domain_port, validate_host

from allo.embedded.address import Address, Addresses
from allo.embedded.errors import RunnerError
from allo.embedded.sweep import stall_detector
from tests.listening import listening
from tests.running import free_port


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104
def test_the_bank_listens_on_the_loopback_alone(host) -> None:
    port = free_port()
    found = Addresses.read({"HOST": host, "PORT": str(port)})
    assert found.bank
    assert (found.shop.host, found.bank.host) == (host, "127.0.0.1")
    assert len({port, found.live.port, found.bank.port}) == 3


def test_the_banks_port_is_chosen_or_any_that_is_free() -> None:
    port, other = free_port(), free_port()
    chosen = Addresses.read({"PORT": str(port), "BANK_PORT": str(other)}).bank
    assert chosen
    assert chosen.port == other
    low = str(min(port, 60_000))
    usual = Addresses.read({"PORT": low}).bank
    assert usual
    with socket.create_server(("127.0.0.1", usual.port)):
        another = Addresses.read({"PORT": low}).bank
    assert another
    assert another.port != usual.port


def test_a_chosen_port_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = str(server.getsockname()[1])
        found = Addresses.read({"PORT": str(free_port()), "BANK_PORT": taken})
        with pytest.raises(RunnerError, match="Cannot listen") as refused:
            found.require_free()
    assert "BANK_PORT=" in refused.value.hint


@pytest.mark.parametrize(
    ("environment", "bank"),
    [
        ({}, True),
        ({"PAYMENT_PROVIDER": "bank"}, True),
        ({"PAYMENT_PROVIDER": "none"}, False),
        ({"PAYMENT_PROVIDER": "stripe"}, False),
        ({"PRODUCTION": "1"}, False),
        ({"PRODUCTION": "off"}, True),
    ],
)
def test_there_is_a_bank_unless_payments_go_elsewhere(environment, bank) -> None:
    found = Addresses.read({"PORT": str(free_port()), **environment})
    assert bool(found.bank) is bank


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "127.0.0.1", "192.168.1.5"])  # noqa: S104
@pytest.mark.parametrize("given", ["", "shop.example", "*"])
def test_the_shop_allows_its_own_address_beside_the_given_names(host, given) -> None:
    environment = {"HOST": host, "ALLOWED_HOSTS": given}
    shop = Address.read(environment)
    names = shop.names(environment).split(",")
    assert names[0] == (given or "localhost")
    domain, _ = split_domain_port(urlsplit(shop.url).netloc)
    assert validate_host(domain, names)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104
@pytest.mark.parametrize("name", ["192.168.1.5", "[fd00::5]", "shop.local"])
def test_other_machines_know_the_shop_and_its_live_updates_by_the_name_given(host, name) -> None:
    environment = {"HOST": host, "PORT": "8100", "SITE_URL": f"http://{name}:8100"}
    shop = Address.read(environment)
    assert not shop.is_unnamed
    assert Address.read({**environment, "SITE_URL": ""}).is_unnamed
    assert shop.url == f"http://{name}:8100/"
    assert urlsplit(shop.live(environment).url).hostname == urlsplit(shop.url).hostname
    assert shop.bank(environment).url.startswith("http://127.0.0.1:")
    here = urlsplit(Address.read({"HOST": host}).url).hostname
    for given in (name, str(here) if host != "::" else f"[{here}]"):
        assert validate_host(given, shop.names(environment).split(","))
        assert f"http://{given}:8100" in shop.origins
    # Behind a proxy with TLS, LIVE_URL says where pages listen.
    assert (
        "shop.example" not in Address.read({"HOST": host, "SITE_URL": "https://shop.example"}).url
    )


class Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(400)

    def log_message(self, *_: object) -> None:
        pass


def test_a_shop_that_refuses_the_runner_is_alive_and_no_process_of_it_is_ended() -> None:
    with listening(ThreadingHTTPServer(("127.0.0.1", 0), Refusing)) as port:
        address = Address("127.0.0.1", port)
        assert address.answers()
        assert not stall_detector(address, {})(1000)
