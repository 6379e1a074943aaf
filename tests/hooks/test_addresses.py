"""Nothing is posted to an address that is not public, however it is written or found."""

import socket
from threading import BoundedSemaphore, Event
from typing import Any

import pytest

from allo import resolver
from allo.outbox.hooks import posting
from allo.outbox.hooks.addresses import BadUrl, checked, found, is_public
from tests.hooks.receiver import receiver

PRIVATE = (
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1",  # noqa: S104
    "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.2.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1",
    "255.255.255.255", "192.88.99.1",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1",
    "2001:db8::1", "2001::1", "2002:7f00:1::", "3fff::1", "100::1", "5f00::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1", "::a00:1",
    "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "64:ff9b:1::808:808",
)  # fmt: skip
PUBLIC = (
    "8.8.8.8",
    "1.1.1.1",
    "2606:4700::1111",
    "2a00:1450::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
)


@pytest.mark.parametrize("ip", PRIVATE)
def test_an_address_of_a_private_or_reserved_network_is_not_public(ip) -> None:
    assert not is_public(ip)


@pytest.mark.parametrize("ip", PUBLIC)
def test_a_public_address_is_public(ip) -> None:
    assert is_public(ip)


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST", "localhost.", "a.localhost", "127.0.0.1", "127.1", "2130706433",
        "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.0.0.1.", "[::1]", "[::]",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[fe80::1]",
        "[fe80::1%25eth0]",
        "10.0.0.1", "169.254.169.254", "[fd00:ec2::254]", "metadata", "metadata.google.internal",
        "db.local", "router.lan", "shop.home.arpa", "x.test", "8.8.8.8", "1.2.3.4", "example",
        "-a.example",
        "a..example.org", "a_b.example.org",
    ],
)  # fmt: skip
def test_a_number_or_a_local_name_is_refused_as_it_is_saved(host) -> None:
    with pytest.raises(BadUrl):
        checked(f"https://{host}/hooks")


@pytest.mark.parametrize(
    "url",
    [
        "", "hooks.example.org", "//hooks.example.org", "http://hooks.example.org/", "ftp://x.example",
        "file:///etc/passwd", "gopher://x.example.org", "https://", "https:///x", "https://:443/",
        "https://asha:secret@hooks.example.org/", "https://hooks.example.org@127.0.0.1/",
        "https://hooks.example.org:0/", "https://hooks.example.org:99999/",
        "https://hooks.example.org:x/",
        "https://hooks.example.org/#x", "https://hooks.example.org/#",
        "https://hooks.example.org/a b",
        "https://hooks.example.org\\@127.0.0.1/", "https://hooks.example.org/\n", "https://①②⑦.example.org/",
        "https://127。0。0。1/", "https://[::1", f"https://hooks.example.org/{'a' * 500}",
        "https://hooks.example.org%00.x/", "https://%6c%6f%63alhost/",
    ],
)  # fmt: skip
def test_what_is_not_one_plain_https_address_is_refused(url) -> None:
    with pytest.raises(BadUrl):
        checked(url)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://hooks.example.org/allo?to=1", "https://hooks.example.org/allo?to=1"),
        ("HTTPS://Hooks.Example.org.:8443", "https://hooks.example.org:8443"),
        ("https://xn--bcher-kva.example.org/", "https://xn--bcher-kva.example.org/"),
    ],
)
def test_an_address_is_kept_in_its_plain_form(url, kept) -> None:
    assert checked(url) == kept


def test_for_trials_this_machine_is_an_address_and_its_network_is_not(settings) -> None:
    settings.WEBHOOK_PRIVATE = True
    assert checked("http://127.0.0.1:8000/x") == "http://127.0.0.1:8000/x"
    assert checked("http://[::1]:8000/x") == "http://[::1]:8000/x"
    assert found("127.0.0.1", 80, 5) == ["127.0.0.1"]
    for host in ("10.0.0.1", "169.254.169.254"):
        with pytest.raises(BadUrl):
            found(host, 80, 5)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost"])
def test_other_notations_are_refused_as_they_are_looked_up(host) -> None:
    with pytest.raises(BadUrl, match="not public"):
        found(host, 443, 5)


def test_a_name_that_leads_elsewhere_after_it_was_saved_is_refused_before_a_connection(
    monkeypatch,
) -> None:
    """And one private address among public ones is enough."""
    connected: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *a, **_: connected.append(a))
    for ips in (["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::ffff:169.254.169.254"]):
        leads_to(monkeypatch, [ips])
        with pytest.raises(BadUrl, match="not public"):
            posting.post("https://hooks.example.org/", b"{}", {}, 5)
    assert connected == []


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(monkeypatch) -> None:
    """A name with another address at each look-up."""
    connected: list[str] = []

    def connect(address: tuple[str, int], timeout: float) -> None:
        assert timeout <= 5
        connected.append(address[0])
        raise ConnectionRefusedError

    leads_to(monkeypatch, [["8.8.8.8"], ["127.0.0.1"], ["127.0.0.1"]])
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(posting.Unreachable, match="takes no connection"):
        posting.post("https://hooks.example.org/", b"{}", {}, 5)
    assert connected == ["8.8.8.8"]


@pytest.mark.parametrize("places", [1, 2])
def test_a_look_up_that_is_not_answered_takes_no_longer_than_a_try(
    monkeypatch, settings, places
) -> None:
    """Its thread is left to itself; without another one, the next look-up waits for its place."""
    settings.WEBHOOK_PRIVATE = True
    look_up, go_on = socket.getaddrinfo, Event()

    def slow(host: str, *arguments: Any, **named: Any) -> list[Any]:
        if host == "slow.example.org":
            go_on.wait(30)
        return look_up("127.0.0.1", *arguments, **named)

    free = BoundedSemaphore(places)
    monkeypatch.setattr(resolver, "_free", free)
    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with receiver() as hook:
        with pytest.raises(posting.Unreachable, match=r"No whole answer within 0\.1 s"):
            posting.post(f"http://slow.example.org:{hook.port}/", b"{}", {}, 0.1)
        if places == 1:
            with pytest.raises(posting.Unreachable, match="No whole answer"):
                posting.post(hook.url, b"{}", {}, 0.1)
            go_on.set()
        assert posting.post(hook.url, b"{}", {}, 60).status == 200
        go_on.set()
        for _ in range(places):
            assert free.acquire(timeout=30)
    assert len(hook.posts) == 1


def leads_to(monkeypatch: pytest.MonkeyPatch, each: list[list[str]]) -> None:
    """What each look-up finds."""
    rest = iter(each)

    def look_up(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", (ip, 443)) for ip in next(rest)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
