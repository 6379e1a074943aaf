"""4. A worker dies during a call: before the commit nothing is held; after it the retry gets the
reply."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path
from uuid import uuid4

import pytest

from tests.api.doomed_point import FATAL
from tests.api.http import Caller, Stock, until_it_answers
from tests.running import PATIENCE, PROJECT, Shop, clean_environment, free_port

pytestmark = pytest.mark.race


@pytest.fixture
def doom(tmp_path: Path) -> Path:
    return tmp_path / "doom"


@pytest.fixture
def caller(shop: Shop, doom: Path) -> Iterator[Caller]:
    """The address of a separate gunicorn on the shop's database."""
    port = free_port()
    variables = shop.variables()
    environment = clean_environment(
        **variables | {"PORT": str(port), "DOOM": str(doom), "TRUSTED_PROXIES": "1",
                       "RESERVE_RATE": "off", "WEB_CONCURRENCY": "1"}
    )  # fmt: skip
    process = subprocess.Popen(
        [
            sys.executable, "-m", "gunicorn", "--config=python:allo.gunicorn",
            "tests.api.doomed:application",
        ],
        cwd=PROJECT, env={**os.environ, **environment},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with Caller(replace(shop, port=port)) as caller:
            until_it_answers(caller)
            yield caller
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.mark.parametrize(("point", "held"), [("before-commit", 0), ("after-commit", FATAL)])
def test_4_a_worker_is_killed_and_the_retry_acts_once(
    caller: Caller, stock: Stock, doom: Path, point: str, held: int
) -> None:
    slug, key = stock.of(50), str(uuid4())
    caller.reserve(slug, Idempotency_Key=str(uuid4()))
    doom.write_text(point)
    answered = False
    with suppress(OSError, HTTPException):
        caller.reserve(slug, FATAL, Idempotency_Key=key)
        answered = True
    caller.connection.close()
    assert not answered
    assert not doom.exists()
    until_it_answers(caller)
    assert stock.pending(slug) == 1 + held
    retry = caller.reserve(slug, FATAL, Idempotency_Key=key)
    assert retry.status == 201
    assert retry.json["quantity"] == FATAL
    assert ("idempotent-replay" in retry.headers) == bool(held)
    again = caller.reserve(slug, FATAL, Idempotency_Key=key)
    assert again.body == retry.body
    assert stock.row(slug) == (50, 1 + FATAL)
    assert stock.balanced(slug)
