"""Thousands of open streams on one live process: the delay of a message, the memory of each, and
the effect on the shop's pages."""

import asyncio
import http.client
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlencode

from allo.live import tokens
from allo.live.message import Message
from allo.live.publisher import send
from allo.live.rooms.passes import Place, sign_place
from tests.benchmarks.load import Measured
from tests.running import PROJECT, free_port, wait_for

WANTED = (5_000,)
# Files of one process that are not streams, and streams opened at a time.
SPARE_FILES, AT_ONCE = 200, 200
EVENTS, EVERY_SECONDS = 12, 0.5
OPENING_SECONDS, LISTENING_ON_SECONDS = 20, 2
PAGE = "/p/p-1/"
TOPIC = "product:0"

Heard = dict[int, list[float]]


def report() -> Iterator[str]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield (
        "One live process; streams from one other process, on loopback, each listening to one"
        f" product; {EVENTS} changes of its stock, one in {EVERY_SECONDS} s. The machine allows"
        f" {hard:,} files to a process ({soft:,} unless raised).\n"
    )
    yield (
        "| streams | one hears: p50 / p99, ms | all have heard: p50 / worst, ms"
        f" | memory of each, kB | `{PAGE}` meanwhile: p50 / p99, ms |\n|---|---|---|---|---|"
    )
    with server("allo.gunicorn", "PORT", "/livez") as (_, web):
        page, _ = browse(web)
        yield f"| none | – | – | – | {_cell(page)} |"
        for streams in WANTED:
            if streams + SPARE_FILES <= hard:
                yield _measure(streams, web)
            else:
                yield f"| {streams:,} | more than the machine allows | | | |"


def _measure(streams: int, web: int) -> str:
    with server("allo.gunicorn_live", "LIVE_PORT", "/live/health") as (process, port):
        worker = child(process.pid)
        before = memory(worker)
        with listening(port, streams, TOPIC) as (opened, stop):
            each = (memory(worker) - before) / max(opened, 1)
            page, sent = browse(web, tells=True)
            time.sleep(LISTENING_ON_SECONDS)
            return _row(opened, sent, stop(), each, page)


def _row(streams: int, sent: list[float], heard: Heard, each: float, page: Measured) -> str:
    delays = [[at - then for at in heard.get(name, [])] for name, then in enumerate(sent, start=1)]
    one = Measured.of([delay for event in delays for delay in event], 1)
    last = Measured.of([max(event) for event in delays if event], 1)
    missing = sum(streams - len(event) for event in delays)
    return (
        f"| {streams:,} | {_cell(one)} | {_cell(last)}"
        f"{f', {missing} not at all' if missing else ''} | {each:.0f} | {_cell(page)} |"
    )


def _cell(measured: Measured) -> str:
    return f"{measured.p50_ms:,.0f} / {measured.p99_ms:,.0f}"


def browse(
    port: int,
    *,
    tells: bool = False,
    seconds: float = (EVENTS + 1) * EVERY_SECONDS,
    pause: float = 0.02,
) -> tuple[Measured, list[float]]:
    """Page views one after the other, with some events meanwhile; returns when each was sent."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    sent: list[float] = []
    latencies = []
    started = time.perf_counter()
    while (passed := time.perf_counter() - started) < seconds:
        if tells and len(sent) < min(EVENTS, passed / EVERY_SECONDS):
            sent.append(time.time())
            send([Message(TOPIC, len(sent), "1", "9 0")])
        asked = time.perf_counter()
        _get(connection, PAGE)
        latencies.append(time.perf_counter() - asked)
        time.sleep(pause)
    return Measured.of(latencies, passed), sent


# --- the readers --------------------------------------------------------------------------------


class Reader(asyncio.Protocol):
    """A minimal client, so that the server is measured. It hears when something was told, by the
    time in its message; and 0 is what would make a page request something."""

    def __init__(self, request: bytes, heard: Heard) -> None:
        self.request = request
        self.heard = heard
        self.up = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        now = time.time()
        for line in data.split(b"\n"):
            if line.startswith(b"data: ") and line[6:]:
                _, _, key, at = line[6:].split(b" ", 4)[:4]
                self.heard[0 if key == b"page" else int(at)].append(now)
        if b"event: up" in data and not self.up.done():
            self.up.set_result(None)


@contextmanager
def listening(port: int, streams: int, topic: str) -> Iterator[tuple[int, Callable[[], Heard]]]:
    """How many streams are open, in a process of their own; call to end them and to learn what they
    heard."""
    ours, theirs = multiprocessing.Pipe()
    listener = multiprocessing.get_context("spawn").Process(
        target=_listen, args=(port, streams, topic, theirs)
    )
    listener.start()

    def stop() -> Heard:
        ours.send("enough")
        heard: Heard = ours.recv()
        return heard

    try:
        yield ours.recv(), stop
    finally:
        listener.kill()
        listener.join()


def _listen(port: int, streams: int, topic: str, pipe: Connection) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_open(port, streams, topic, pipe))


async def _open(port: int, streams: int, topic: str, pipe: Connection) -> None:
    loop = asyncio.get_running_loop()
    heard: Heard = defaultdict(list)
    readers: list[Reader] = []
    until = loop.time() + OPENING_SECONDS
    while len(readers) < streams and loop.time() < until:
        numbers = range(len(readers), min(streams, len(readers) + AT_ONCE))
        opened = [Reader(_request(topic, number), heard) for number in numbers]
        # Each local address has a limited number of ports, so several addresses are used.
        source = (f"127.0.0.{2 + len(readers) // 20_000}", 0)
        for reader in opened:
            await loop.create_connection(lambda r=reader: r, "127.0.0.1", port, local_addr=source)  # type: ignore[misc]
        await asyncio.wait_for(asyncio.gather(*(reader.up for reader in opened)), OPENING_SECONDS)
        readers += opened
    heard.clear()
    pipe.send(len(readers))
    await loop.run_in_executor(None, pipe.recv)
    pipe.send(dict(heard))


def _request(topic: str, number: int) -> bytes:
    """Of a shop's page, or of a visitor of a waiting room, whose scores are numbers."""
    kind, _, room = topic.partition(":")
    if kind == "room":
        place = sign_place(Place(int(room), f"visitor-{number:020}", float(number)))
        path = f"/live/room/{room}/stream?{urlencode({'place': place})}"
    else:
        token = tokens.sign_shared([topic])
        path = f"/live/?{urlencode({'t': token, 'at': time.time_ns() // 1000})}"
    return f"GET {path} HTTP/1.1\r\nHost: live\r\n\r\n".encode()


# --- processes ------------------------------------------------------------------------------------


@contextmanager
def server(
    config: str, setting: str, health: str, **environment: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = int(environment.get(setting) or free_port())
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", f"--config=python:{config}"],
        cwd=PROJECT,
        env={
            **os.environ,
            setting: str(port),
            "LIVE_MAX_CLIENTS": "100000",
            "LIVE_MAX_PER_NETWORK": "0",
            **environment,
        },
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: _answers(port, health), seconds=20)
        yield process, port
    finally:
        process.terminate()
        process.wait(20)


def _answers(port: int, path: str) -> bool:
    try:
        _get(http.client.HTTPConnection("127.0.0.1", port, timeout=5), path)
    except OSError:
        return False
    return True


def _get(connection: http.client.HTTPConnection, path: str) -> None:
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    assert response.status == 200, response.status


def child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def memory(pid: int) -> float:
    """Resident kilobytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return float(status.split("VmRSS:")[1].split()[0])
