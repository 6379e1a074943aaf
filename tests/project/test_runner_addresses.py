"""Where the processes of `make up` listen, and whether there is a bank."""

import socket

import pytest

from allo.embedded.address import Addresses
from allo.embedded.errors import RunnerError
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
