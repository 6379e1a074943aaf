"""A statement that takes long, on a server that is there; of one that is silent is
`tests.scale.test_standby`."""

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from allo.postgresql import answers, trips
from allo.postgresql.faults import Fault, fault_of
from allo.postgresql.trips import Statement

pytestmark = pytest.mark.django_db(transaction=True)

SLEEP = "SELECT pg_sleep(0.2)"


@pytest.fixture(autouse=True)
def looks(settings, monkeypatch) -> list[bool]:
    """What the second connections found."""
    settings.ANSWER_TIMEOUT_MS = 50
    found: list[bool] = []
    look = answers.commits_wait

    def noted(*arguments) -> bool:
        found.append(look(*arguments))
        return found[-1]

    monkeypatch.setattr(answers, "commits_wait", noted)
    return found


def lost(statement: str) -> None:
    with pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute(statement)
    # As at the end of a request.
    connection.close()


def test_a_statement_may_take_longer_than_an_answer_if_the_server_is_there(looks) -> None:
    with connection.cursor() as cursor:
        cursor.execute(SLEEP)
    with transaction.atomic():
        assert trips.run([Statement(SLEEP), Statement("SELECT 1")])[1] == [(1,)]
    assert looks
    assert not any(looks)


def test_without_an_answer_to_a_look_the_connection_is_given_up_and_replaced(
    monkeypatch, settings
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise psycopg.OperationalError("nobody listens")

    connection.ensure_connection()
    silent = connection.connection
    monkeypatch.setattr(answers._Look, "connect", refused)
    with pytest.raises(OperationalError) as given_up, transaction.atomic():
        trips.run([Statement(SLEEP), Statement("COMMIT")])
    assert fault_of(given_up.value) is Fault.BUSY
    assert silent.closed
    lost(SLEEP)
    # A busy machine takes longer for anything.
    settings.ANSWER_TIMEOUT_MS = 60_000
    with connection.cursor() as cursor:
        cursor.execute("SELECT 2")
        assert cursor.fetchall() == [(2,)]


def test_no_transaction_begins_while_commits_wait_and_reading_goes_on(
    looks, monkeypatch, settings
) -> None:
    monkeypatch.setattr(answers, "EVERY", 60.0)
    with monkeypatch.context() as waiting:
        waiting.setattr(answers, "COMMIT_WAITS", "SELECT %(pid)s::int >= 0")
        lost(SLEEP)
        # A busy machine takes longer for anything, and would be looked at again.
        settings.ANSWER_TIMEOUT_MS = 60_000
        for _ in range(2):
            with pytest.raises(OperationalError) as refused, transaction.atomic():
                raise AssertionError("it begins")
            assert fault_of(refused.value) is Fault.BUSY
        assert looks == [True]
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    monkeypatch.setattr(answers, "EVERY", 0.0)
    for _ in range(2):
        with transaction.atomic():
            assert trips.run([Statement("SELECT 1")]) == [[(1,)]]
    assert looks == [True, False]
