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
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlencode

from django.core.management import call_command

from allo.live import publish, tokens
from tests.benchmarks.load import Measured
from tests.running import PROJECT, free_port, wait_for

WANTED = (5_000,)
# Files of one process that are not streams, and streams opened at a time.
SPARE_FILES, AT_ONCE = 200, 200
EVENTS, EVERY_SECONDS = 12, 0.5
OPENING_SECONDS, LISTENING_ON_SECONDS = 20, 2
PAGE = "/p/p-1/"

Heard = dict[str, list[float]]


def report() -> Iterator[str]:
    call_command("collectstatic", interactive=False, verbosity=0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield (
        "One live process; streams from one other process, on loopback, each listening to all"
        f" stock; {EVENTS} changes through `publish()`, one in {EVERY_SECONDS} s. The machine"
        f" allows {hard:,} files to a process ({soft:,} unless raised).\n"
    )
    yield (
        "| streams | one hears: p50 / p99, ms | all have heard: p50 / worst, ms"
        f" | memory of each, kB | `{PAGE}` meanwhile: p50 / p99, ms |\n|---|---|---|---|---|"
    )
    with _server("allo.gunicorn", "PORT", "/livez") as (_, web):
        page, _ = _browse(web)
        yield f"| none | – | – | – | {_cell(page)} |"
        for streams in WANTED:
            if streams + SPARE_FILES <= hard:
                yield _measure(streams, web)
            else:
                yield f"| {streams:,} | more than the machine allows | | | |"


def _measure(streams: int, web: int) -> str:
    with _server("allo.gunicorn_live", "LIVE_PORT", "/live/health") as (process, port):
        worker = _child(process.pid)
        before = _memory(worker)
        ours, theirs = multiprocessing.Pipe()
        listener = multiprocessing.get_context("spawn").Process(
            target=_listen, args=(port, streams, theirs)
        )
        listener.start()
        try:
            opened = ours.recv()
            each = (_memory(worker) - before) / max(opened, 1)
            page, sent = _browse(web, "product:{}")
            time.sleep(LISTENING_ON_SECONDS)
            ours.send("enough")
            return _row(opened, sent, ours.recv(), each, page)
        finally:
            listener.kill()
            listener.join()


def _row(streams: int, sent: dict[str, float], heard: Heard, each: float, page: Measured) -> str:
    delays = [[at - then for at in heard.get(topic, [])] for topic, then in sent.items()]
    one = Measured.of([delay for event in delays for delay in event], 1)
    last = Measured.of([max(event) for event in delays if event], 1)
    missing = sum(streams - len(event) for event in delays)
    return (
        f"| {streams:,} | {_cell(one)} | {_cell(last)}"
        f"{f', {missing} not at all' if missing else ''} | {each:.0f} | {_cell(page)} |"
    )


def _cell(measured: Measured) -> str:
    return f"{measured.p50_ms:,.0f} / {measured.p99_ms:,.0f}"


def _browse(port: int, topic: str = "") -> tuple[Measured, dict[str, float]]:
    """Page views one after the other, with some events meanwhile; returns when each was sent."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    sent: dict[str, float] = {}
    latencies = []
    started = time.perf_counter()
    while (passed := time.perf_counter() - started) < (EVENTS + 1) * EVERY_SECONDS:
        if topic and len(sent) < min(EVENTS, passed / EVERY_SECONDS):
            sent[topic.format(len(sent))] = time.perf_counter()
            publish(topic.format(len(sent) - 1))
        asked = time.perf_counter()
        _get(connection, PAGE)
        latencies.append(time.perf_counter() - asked)
        time.sleep(0.02)
    return Measured.of(latencies, passed), sent


# --- the readers --------------------------------------------------------------------------------


class Reader(asyncio.Protocol):
    """A minimal client, so that the server is measured."""

    def __init__(self, request: bytes, heard: Heard) -> None:
        self.request = request
        self.heard = heard
        self.up = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        if b"product:" in data:
            now = time.perf_counter()
            for word in data.split():
                if word.startswith(b"product:"):
                    self.heard[word.decode()].append(now)
        if b"event: up" in data and not self.up.done():
            self.up.set_result(None)


def _listen(port: int, streams: int, pipe: Connection) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_open(port, streams, pipe))


async def _open(port: int, streams: int, pipe: Connection) -> None:
    loop = asyncio.get_running_loop()
    token = urlencode({"t": tokens.sign(["product:*"])})
    request = f"GET /live/?{token} HTTP/1.1\r\nHost: live\r\n\r\n".encode()
    heard: Heard = defaultdict(list)
    readers: list[Reader] = []
    until = loop.time() + OPENING_SECONDS
    while len(readers) < streams and loop.time() < until:
        opened = [Reader(request, heard) for _ in range(min(AT_ONCE, streams - len(readers)))]
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


# --- processes ------------------------------------------------------------------------------------


@contextmanager
def _server(
    config: str, setting: str, health: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", f"--config=python:{config}"],
        cwd=PROJECT,
        env={
            **os.environ,
            setting: str(port),
            "LIVE_MAX_CLIENTS": "100000",
            "LIVE_MAX_PER_NETWORK": "0",
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


def _child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _memory(pid: int) -> float:
    """Resident kilobytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return float(status.split("VmRSS:")[1].split()[0])
