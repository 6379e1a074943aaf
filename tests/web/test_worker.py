"""A task that a request queues never keeps that request waiting."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from django.conf import settings

from allo.web import worker
from allo.web.worker import ask, broker
from tests.running import free_port, takes_less_than, wait_for
from tests.valkey import Server, answers, valkey_at


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def valkey(port, tmp_path) -> Iterator[Server]:
    with valkey_at(port, tmp_path) as server:
        yield server


@pytest.fixture
def task(port, monkeypatch) -> Any:
    app = Celery("own", broker=f"redis://127.0.0.1:{port}/0", set_as_current=False)
    app.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    monkeypatch.setattr(broker, "_producer", None)

    @app.task(name="own")
    def own() -> None: ...

    return own


def test_a_broker_that_is_frozen_or_gone_is_not_waited_for(
    valkey: Server, task, port, monkeypatch
) -> None:
    monkeypatch.setattr(worker, "PAUSE_SECONDS", 600)

    def again() -> bool:
        """After the pause."""
        broker.failed_at = float("-inf")
        return ask(task)

    def is_refused() -> None:
        assert [again(), ask(task)] == [False] * 2

    wait_for(again)
    os.kill(valkey.pid, signal.SIGSTOP)
    # Celery waits for 5 s, each time.
    assert takes_less_than(2, is_refused)
    is_refused()
    os.kill(valkey.pid, signal.SIGCONT)
    assert not ask(task)
    wait_for(lambda: answers(port))
    wait_for(again)
    valkey.kill()
    valkey.wait()
    assert takes_less_than(2, is_refused)
