"""Errors of the shop are reported to a server that speaks Sentry's protocol, and nothing of whom
they are about."""

import logging
import os
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from celery import signals
from django.db import connection

from allo import reporting
from allo.celery import app
from allo.reporting import MOST_PER_MINUTE, Reporter, client
from allo.site import pages
from tests.metrics.counting import counting
from tests.relay import Relay, relaying
from tests.running import free_port
from tests.stock import stocked
from tests.web.test_watched import ask, log  # noqa: F401

pytestmark = pytest.mark.django_db

EMAIL, SESSION, TOKEN = "asha.rao@example.org", "s3ss10nkeyofashashoppingtoday0xyz", "allo_t0k3n"
KEY, LINK = str(uuid4()), "Qm9vVGhpc0lzU2lnbmVk"
SECRETS = (EMAIL, SESSION, TOKEN, KEY, LINK)


@pytest.fixture
def relay(settings) -> Iterator[Relay]:
    for handler in logging.getLogger().handlers:
        if isinstance(handler, Reporter):
            handler._reported.clear()
    client.cache_clear()
    with relaying() as server:
        settings.SENTRY_DSN = server.dsn
        yield server
        client(server.dsn).close(2)
        client.cache_clear()


def reported(relay: Relay) -> list[dict[str, Any]]:
    client(relay.dsn).flush(30)
    return relay.events()


def ask_broken(monkeypatch: pytest.MonkeyPatch) -> str:
    """A request with all that is secret, whose view fails; returns the request's id."""
    monkeypatch.setattr(pages, "source_of", leaking)
    status, own, _ = ask(
        f"/docs/?key={LINK}&email={EMAIL}",
        HTTP_COOKIE=f"sessionid={SESSION}; allo_visitor={TOKEN}",
        HTTP_AUTHORIZATION=f"Bearer {TOKEN}",
        HTTP_IDEMPOTENCY_KEY=KEY,
    )
    assert status == 500
    return own


def leaking(*_: object, **given: Any) -> None:
    """An error that quotes all it has, as those of libraries do."""
    mine = SECRETS
    try:
        raise KeyError(EMAIL)
    except KeyError as error:
        error.add_note(SESSION)
        raise RuntimeError(f"{mine} {given}") from error


def test_an_error_is_reported_with_its_place_and_its_request_but_nothing_personal(
    relay,
    monkeypatch,
    log,  # noqa: F811
) -> None:
    with counting(("allo_errors_total", {})) as grown:
        own = ask_broken(monkeypatch)
    (event,) = reported(relay)
    assert grown == [1]
    assert event["tags"] == {"request_id": own}
    assert event["logentry"]["message"] == "%s: %s"
    cause, error = event["exception"]["values"]
    assert [cause["type"], error["type"]] == ["KeyError", "RuntimeError"]
    last = error["stacktrace"]["frames"][-1]
    assert (last["function"], last["module"]) == ("leaking", __name__)
    # The shop's own log has it, under the same id.
    assert own in log.getvalue()
    assert all(secret in log.getvalue() for secret in (EMAIL, SESSION))
    assert not [secret for secret in SECRETS if secret in relay.sent[0]]


def test_what_postgresql_quotes_stays_here(relay) -> None:
    row = stocked(3)
    with connection.cursor() as cursor:
        try:
            cursor.execute("SELECT %s::int", [EMAIL])
        except Exception:
            logging.getLogger("reservations").exception("%s of %s", row, EMAIL)
    (event,) = reported(relay)
    assert event["logentry"]["message"] == "%s of %s"
    assert [found["type"] for found in event["exception"]["values"]] == [
        "InvalidTextRepresentation", "DataError",
    ]  # fmt: skip
    assert EMAIL not in relay.sent[0]


def test_a_failed_task_is_reported(relay) -> None:
    @app.task(name="of the test")
    def failing(email: str) -> None:
        raise ValueError(email)

    failing.apply((EMAIL,))
    app.tasks.pop("of the test")
    (event,) = reported(relay)
    assert event["exception"]["values"][-1]["type"] == "ValueError"
    assert EMAIL not in relay.sent[0]


def test_a_process_of_a_prefork_pool_reports_for_itself_and_before_it_ends(
    relay, monkeypatch
) -> None:
    """It ends as those of Celery do, without `atexit`."""
    monkeypatch.setattr(reporting, "END_SECONDS", 30.0)
    logging.getLogger("allo.site").error("of the parent")
    client(relay.dsn).flush(30)
    child = os.fork()
    if child == 0:
        has_the_parents = client.cache_info().currsize
        try:
            logging.getLogger("allo.site").error("of the child")
            signals.worker_process_shutdown.send(sender=None, pid=os.getpid(), exitcode=0)
        finally:
            os._exit(has_the_parents)
    assert os.waitpid(child, 0)[1] == 0
    said = [event["logentry"]["message"] for event in relay.events()]
    assert said == ["of the parent", "of the child"]


def test_words_that_a_library_has_filled_in_are_not_reported(relay) -> None:
    logging.getLogger("some.library").error(f"no answer to {EMAIL}")  # noqa: G004
    logging.getLogger("allo.site").error("the shop's own words")
    logging.getLogger("urllib3.connectionpool").error("of the reporter itself")
    logging.getLogger("allo.site").warning("not an error")
    first, second = (event["logentry"]["message"] for event in reported(relay))
    assert first.startswith("some.library, line ")
    assert second == "the shop's own words"
    assert EMAIL not in relay.sent[0]


def test_a_storm_of_errors_is_reported_up_to_a_limit(relay) -> None:
    with counting(("allo_errors_total", {})) as grown:
        for _ in range(MOST_PER_MINUTE + 5):
            logging.getLogger("allo.site").error("again")
    assert grown == [MOST_PER_MINUTE + 5]
    assert len(reported(relay)) == MOST_PER_MINUTE


def test_without_its_server_nothing_else_fails(relay, settings, monkeypatch) -> None:
    client.cache_clear()
    settings.SENTRY_DSN = f"http://public@127.0.0.1:{free_port()}/7"
    ask_broken(monkeypatch)
    client(settings.SENTRY_DSN).close(1)
    client.cache_clear()
    assert relay.bodies == []
