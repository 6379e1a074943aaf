"""The live process itself, on a real Valkey."""

import http.client
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.core.signing import TimestampSigner
from django.test import override_settings

from allo import live
from allo.live import tokens
from tests.relay import Relay, relaying
from tests.running import PROJECT, free_port, takes_less_than, wait_for

ORIGIN = "http://shop.example"
CAP, CAP_OF_NETWORK = 12, 4


@contextmanager
def process(
    config: str = "allo.gunicorn_live", **environment: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    environ = os.environ | {
        "LIVE_PORT": str(port), "LIVE_ALLOW_ORIGINS": ORIGIN, "LIVE_MAX_CLIENTS": str(CAP),
        "LIVE_MAX_PER_NETWORK": str(CAP_OF_NETWORK), "TRUSTED_PROXIES": "1",
        # It needs no database.
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", **environment,
    }  # fmt: skip
    running = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", f"--config=python:{config}"],
        cwd=PROJECT,
        env=environ,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: _health(port) == 200)
        yield running, port
    finally:
        running.kill()
        running.wait()


def _health(port: int) -> int:
    try:
        return status(port, "/live/health")
    except OSError:
        return 0


@pytest.fixture(scope="module")
def relay() -> Iterator[Relay]:
    with relaying() as server:
        yield server


@pytest.fixture(scope="module")
def port(relay: Relay) -> Iterator[int]:
    with process(SENTRY_DSN=relay.dsn) as (_, port):
        yield port


@contextmanager
def asking(port: int, path: str, **headers: str) -> Iterator[http.client.HTTPResponse]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path, headers=headers)
        with connection.getresponse() as response:
            yield response


def status(port: int, path: str, **headers: str) -> int:
    with asking(port, path, **headers) as response:
        return response.status


def stream_of(*topics: str) -> str:
    return f"/live/?{urlencode({'t': tokens.sign(topics)})}"


def until(stream: http.client.HTTPResponse, words: bytes) -> bytes:
    while words not in (line := stream.readline()):
        assert line, "the stream has ended"
    return line


def test_a_stream_delivers_a_change_within_a_second(port: int) -> None:
    with asking(port, stream_of("test:1", "test:2"), Origin=ORIGIN) as stream:
        assert stream.status == 200
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert stream.headers["Cache-Control"] == "no-store"
        assert stream.headers["X-Accel-Buffering"] == "no"
        assert stream.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert b"retry: " in stream.readline()
        until(stream, b"event: up")

        def change() -> None:
            live.publish("test:0", "test:2")
            assert until(stream, b"test:").startswith(b"data: 0 test:2 page ")

        assert takes_less_than(1, change)


def test_an_error_of_what_is_heard_is_reported_and_the_next_change_is_delivered(
    port: int, relay: Relay
) -> None:
    with asking(port, stream_of("test:1")) as stream:
        until(stream, b"event: up")
        live.publish("used:asha@example.org")
        until(stream, b"event: up")
        live.publish("test:1")
        assert b"test:1 page " in until(stream, b"test:")
    wait_for(lambda: bool(relay.events()))
    (event,) = relay.events()
    assert event["logger"] == "allo.live.lasting"
    assert [found["type"] for found in event["exception"]["values"]] == ["ValueError"]
    assert "asha" not in relay.sent[0]


def test_another_origin_may_not_read(port: int) -> None:
    with asking(port, stream_of("test:1"), Origin="http://evil.example") as stream:
        assert stream.headers["Access-Control-Allow-Origin"] is None
        assert stream.headers["Vary"] == "Origin"


def forged() -> str:
    token = tokens.sign(["holder:mine"])
    return token.replace("mine", "other")


def expired() -> str:
    signer = TimestampSigner(salt="allo.live")
    signer.timestamp = lambda: "1"  # type: ignore[method-assign]
    return signer.sign("holder:mine")


def of_another_shop() -> str:
    with override_settings(SECRET_KEY="x" * 50):
        return tokens.sign(["holder:mine"])


@pytest.mark.parametrize(
    "token",
    [
        forged, expired, of_another_shop,
        lambda: TimestampSigner(salt="other").sign("holder:mine"),
        lambda: "holder:mine", lambda: "", lambda: "::", lambda: "\udcff", lambda: "a" * 4000,
    ],
)  # fmt: skip
def test_unsigned_topics_are_refused(port: int, token) -> None:
    query = urlencode({"t": token()}, errors="surrogateescape")
    assert status(port, f"/live/?{query}") == 403
    mine = stream_of("holder:mine")
    assert status(port, f"{mine}&{query}") == (403 if token() else 200)


def with_an_end_removed() -> str:
    topics, _, signature = tokens.sign(["holder:mine"]).rsplit(":", 2)
    return f"{topics}:-:{signature}"


def with_another_product() -> str:
    return tokens.sign_shared(["product:1"]).replace("product:1", "product:2")


@pytest.mark.parametrize("forge", [with_an_end_removed, with_another_product])
def test_topics_without_end_are_those_that_were_signed_so(port: int, forge) -> None:
    assert status(port, f"/live/?{urlencode({'t': forge()})}") == 403
    many = [f"product:{n}" for n in range(1, 526)]
    listening = tokens.read([tokens.sign_shared(many), tokens.sign_shared(["product:7"])])
    assert listening == (frozenset(many), math.inf, frozenset())
    assert status(port, f"/live/?{urlencode({'t': tokens.sign_shared(many)})}") == 200
    mixed = tokens.read([tokens.sign_shared(many), tokens.sign(["holder:mine"])])
    assert abs(mixed.since - time.time()) < 60


@pytest.mark.parametrize(
    ("at", "answer"),
    [
        ("1", 200), ("0", 200), ("9" * 17, 200), ("", 200), ("9" * 18, 400), ("-1", 400),
        ("1e9", 400), ("1.5", 400), ("nan", 400), ("\u0663", 400), (" 1", 400), ("1\0", 400),
    ],
)  # fmt: skip
def test_a_forged_moment_is_refused_or_harms_nobody(port: int, at: str, answer: int) -> None:
    for name in ("at", "shown"):
        assert status(port, f"{stream_of('test:1')}&{urlencode({name: at})}") == answer
    if at.isascii() and at.isprintable() and at.strip() == at:
        assert status(port, stream_of("test:1"), **{"Last-Event-ID": at}) == answer


def test_a_page_that_comes_back_gets_what_it_missed(port: int) -> None:
    shared = f"/live/?{urlencode({'t': tokens.sign_shared(['test:1']), 'at': '1'})}"

    def heard() -> str:
        with asking(port, stream_of("test:0")) as stream:
            return until(stream, b"id: ").removeprefix(b"id: ").strip().decode()

    def knows_since(moment: str) -> bool:
        """Not of a process that has just started, by more than clocks differ."""
        with asking(port, shared, **{"Last-Event-ID": moment}) as stream:
            until(stream, b"retry: ")
            return b"data: 0 * " not in until(stream, b": ")

    wait_for(lambda: knows_since(heard()))
    last = heard()
    live.publish("test:1")
    with asking(port, shared, **{"Last-Event-ID": last}) as stream:
        assert until(stream, b"data: ").startswith(b"data: 0 test:1 page ")
    with asking(port, shared) as stream:
        assert until(stream, b"data: ").startswith(b"data: 0 * page ")


@pytest.mark.parametrize(
    ("path", "answer"), [("/live/", 403), ("/", 404), ("/live/other", 404), ("/live/health", 200)]
)
def test_unknown_addresses_are_404(port: int, path: str, answer: int) -> None:
    assert status(port, path) == answer


def test_methods_other_than_get_are_405(port: int) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("POST", stream_of("test:1"), b"x")
        with connection.getresponse() as response:
            assert response.status == 405


def streams(port: int) -> int:
    with asking(port, "/live/health") as response:
        return int(response.read().split()[0])


def request(*lines: str) -> bytes:
    """The status of a stream's response to these headers."""
    head = (f"GET {stream_of('test:1')} HTTP/1.1", "Host: x", *lines)
    return "".join(f"{line}\r\n" for line in (*head, "")).encode()


@contextmanager
def streaming(port: int, *froms: str) -> Iterator[list[socket.socket]]:
    """Open streams, one from each address, set as a proxy would."""
    wait_for(lambda: streams(port) == 0)
    open_ones = [socket.create_connection(("127.0.0.1", port)) for _ in froms]
    for one, address in zip(open_ones, froms, strict=True):
        one.sendall(request(f"X-Forwarded-For: {address}"))
    wait_for(lambda: streams(port) == len(froms))
    yield open_ones
    for one in open_ones:
        one.close()
    wait_for(lambda: streams(port) == 0)


def test_above_the_cap_a_stream_gets_503_until_another_ends(port: int) -> None:
    with streaming(port, *(f"192.0.2.{n}" for n in range(CAP))) as open_ones:
        with asking(port, stream_of("test:1")) as refused:
            assert refused.status == 503
            assert int(refused.headers["Retry-After"]) > 0
        open_ones.pop().close()
        wait_for(lambda: streams(port) == CAP - 1)
        assert status(port, stream_of("test:1")) == 200


@pytest.mark.parametrize(
    ("mine", "another"),
    [
        (["192.0.2.1", "x, 192.0.2.1", "192.0.2.1:50001", "[::ffff:192.0.2.1]:443"], "192.0.2.2"),
        ([f"[2001:db8::{n}]:443" for n in range(CAP_OF_NETWORK)], "2001:db8:0:1::1"),
        (["unknown", "_hidden", "192.0.2", "-"], "192.0.2.1"),
    ],
)
def test_one_network_cannot_take_all_streams(port: int, mine: list[str], another: str) -> None:
    with streaming(port, *mine) as open_ones:
        for address in mine:
            with asking(port, stream_of("test:1"), **{"X-Forwarded-For": address}) as refused:
                assert refused.status == 503
                assert int(refused.headers["Retry-After"]) > 0
        assert status(port, stream_of("test:1"), **{"X-Forwarded-For": another}) == 200
        wait_for(lambda: streams(port) == CAP_OF_NETWORK)
        open_ones.pop().close()
        wait_for(lambda: streams(port) == CAP_OF_NETWORK - 1)
        assert status(port, stream_of("test:1"), **{"X-Forwarded-For": mine[0]}) == 200


def test_the_networks_around_one_cannot_take_all_streams_either() -> None:
    """One line may have a /56 or a /48 of IPv6, which are many networks."""

    def asked(port: int, address: str) -> int:
        return status(port, stream_of("test:1"), **{"X-Forwarded-For": address})

    mine = [f"2001:db8:0:{n >> 2}{n & 3:02x}::1" for n in range(16)]
    with process(LIVE_MAX_CLIENTS="20", LIVE_MAX_PER_NETWORK="1") as (_, port):
        with streaming(port, *mine[:3]):
            assert asked(port, mine[3]) == 200
        with streaming(port, *mine[:4]):
            assert [asked(port, "2001:db8:0:ff::1"), asked(port, mine[4])] == [503, 200]
        with streaming(port, *mine):
            assert [asked(port, "2001:db8:0:ff00::1"), asked(port, "2001:db8:1::1")] == [503, 200]


def test_a_stream_request_larger_than_a_pages_is_refused(port: int) -> None:
    token = tokens.sign(["test:1"])
    assert status(port, f"/live/?{urlencode({'t': [token] * 20}, doseq=True)}") == 200
    assert status(port, f"/live/?{urlencode({'t': [token] * 21}, doseq=True)}") == 400
    assert status(port, f"{stream_of('test:1')}&x={'x' * 9000}") == 414
    assert status(port, stream_of("test:1"), Cookie="a" * 4000) == 200
    many = {f"X-{n}": "a" * 4000 for n in range(5)}
    assert status(port, stream_of("test:1"), **many) == 431
    assert status(port, stream_of("test:1"), **{"Content-Length": "0"}) == 200
    assert status(port, stream_of("test:1"), **{"Content-Length": "9"}) == 413
    assert status(port, stream_of("test:1"), **{"Transfer-Encoding": "chunked"}) == 413


def test_a_websocket_is_not_opened(port: int) -> None:
    upgrade = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    assert status(port, stream_of("test:1"), **upgrade) >= 400


def test_a_connection_without_a_request_ends_and_a_stream_does_not() -> None:
    with process("tests.live.hasty") as (_, port), asking(port, stream_of("test:1")) as stream:
        until(stream, b"event: up")
        silent, slow = (socket.create_connection(("127.0.0.1", port), 30) for _ in range(2))
        with silent, slow:
            slow.sendall(request()[:-2])
            assert [silent.recv(1), slow.recv(1)] == [b"", b""]
        live.publish("test:1")
        assert until(stream, b"test:").startswith(b"data: 0 test:1 page ")


def memory(pid: int) -> int:
    """The resident kilobytes of this process's only child."""
    child = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
    return int(Path(f"/proc/{child}/status").read_text().split("VmRSS:")[1].split()[0])


def test_bytes_sent_after_a_request_are_not_buffered() -> None:
    senders, each = 100, 400_000
    unlimited = {"LIVE_MAX_CLIENTS": str(senders), "LIVE_MAX_PER_NETWORK": "0"}
    with process(**unlimited) as (running, port), ExitStack() as sockets:
        before = memory(running.pid)
        open_ones = [
            sockets.enter_context(socket.create_connection(("127.0.0.1", port)))
            for _ in range(senders)
        ]
        for one in open_ones:
            one.sendall(request())
        wait_for(lambda: streams(port) == senders)
        for one in open_ones:
            one.setblocking(False)
            one.send(b"x" * each)
        assert streams(port) == senders
        # If the bytes were buffered, they alone would be 256 kB or more.
        assert memory(running.pid) - before < senders * 128


def test_a_client_that_does_not_read_is_dropped() -> None:
    with process("tests.live.hasty") as (_, port):
        _fill_and_wait(port)


def _fill_and_wait(port: int) -> None:
    topics = [f"test:{'x' * 200}{n}" for n in range(25)]
    with closing(socket.socket()) as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect(("127.0.0.1", port))
        stuck.sendall(f"GET {stream_of(*topics)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        wait_for(lambda: streams(port) == 1)

        def is_dropped() -> bool:
            live.publish(*topics)
            return streams(port) == 0

        wait_for(is_dropped, seconds=60)


def test_the_live_process_ends_its_streams_and_stops_within_seconds() -> None:
    for _ in range(3):
        with process() as (running, port), asking(port, stream_of("test:1")) as stream:
            until(stream, b"event: up")
            started = time.monotonic()
            running.send_signal(signal.SIGTERM)
            # To its proper end: an incomplete stream would be an error in the client.
            stream.read()
            running.wait(30)
            took = time.monotonic() - started
            assert running.returncode == 0
        # `graceful_timeout` is 2 s; here other tests share the processors.
        if took < 4:
            return
    pytest.fail("it stops slowly, each time")
