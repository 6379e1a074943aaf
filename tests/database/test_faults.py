"""How failed statements are classified: by SQLSTATE, whatever the exception's class."""

import pytest
from django.db import Error, connection
from psycopg import OperationalError
from psycopg.errors import PipelineAborted

from allo.postgresql.faults import Fault, fault_of, is_locked, name_of
from inventory.exceptions import Busy as StockBusy
from inventory.exceptions import Storage as StockStorage
from reservations import services
from reservations.engine import transactions as engine
from reservations.engine.commands import Command, Holder, Reserve
from reservations.exceptions import Busy, Storage
from tests import stock_room
from tests.database.conftest import connected
from tests.stock import stocked

pytestmark = pytest.mark.django_db(transaction=True)

BUSY = [
    "55P03", "40P01", "40001", "57014", "57P01", "57P02", "57P03", "57P05", "08000", "08006",
    "08P01", "25006", "25P03", "25P04", "53000", "53200", "53300",
]  # fmt: skip
STORAGE = ["53100", "58030"]
# Bugs in what is sent: a retry would fail again, so they are no faults. P0001 is a RAISE without an
# ERRCODE, and 27000 (a trigger changed the row that its statement changes) an OperationalError.
OURS = [
    "53400", "23505", "23514", "22001", "42601", "42P01", "42501", "XX000", "P0001", "27000",
]  # fmt: skip


def fail_with(state: str) -> Error:
    """Raised by the server, so that it arrives as a real one would."""
    with pytest.raises(Error) as caught, connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$")
    connection.close()
    return caught.value


def test_the_sqlstate_decides_whether_a_retry_helps() -> None:
    expected: dict[str, Fault | None] = dict.fromkeys(BUSY, Fault.BUSY)
    expected |= dict.fromkeys(STORAGE, Fault.STORAGE)
    expected |= dict.fromkeys(OURS)
    assert {state: fault_of(fail_with(state)) for state in expected} == expected


def test_only_lock_errors_count_as_locked() -> None:
    assert [state for state in BUSY if is_locked(fail_with(state))] == ["55P03", "40P01"]


def test_a_lost_connection_has_no_sqlstate_and_is_busy() -> None:
    connection.ensure_connection()
    connection.connection.close()
    with pytest.raises(Error) as caught, connection.wrap_database_errors:
        connection.connection.execute("SELECT 1")
    connection.close()
    assert fault_of(caught.value) is Fault.BUSY
    assert name_of(caught.value) == "OperationalError (no SQLSTATE)"


def test_errors_that_follow_another_in_a_pipeline_are_no_fault() -> None:
    assert fault_of(PipelineAborted("pipeline aborted")) is None
    assert fault_of(OperationalError("the connection is lost")) is Fault.BUSY
    assert fault_of(ValueError()) is fault_of(None) is None


def test_the_logged_name_of_an_error_quotes_no_rows() -> None:
    assert name_of(fail_with("23505")) == "UniqueViolation (23505)"


# --- refusals of the verbs ---------------------------------------------------------------------


def failing(state: str) -> None:
    """Makes every write of a reservation or ledger line fail with this SQLSTATE."""
    with connection.cursor() as cursor:
        cursor.execute(f"""
            CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$;
            CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON reservations_reservation
                EXECUTE FUNCTION fail();
            CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON inventory_stockmovement
                EXECUTE FUNCTION fail();
        """)


@pytest.fixture
def row():
    yield stocked(50)
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION IF EXISTS fail CASCADE")


CASES: list[tuple[str, type[Exception], type[Exception]]] = [
    ("25006", Busy, StockBusy), ("25P04", Busy, StockBusy), ("57014", Busy, StockBusy),
    ("53200", Busy, StockBusy), ("53100", Storage, StockStorage),
]  # fmt: skip


def test_verbs_of_shoppers_and_staff_refuse_on_a_fault(row) -> None:
    for state, refusal, stock_refusal in CASES:
        failing(state)
        with pytest.raises(refusal):
            services.reserve(product_id=row.product_id, quantity=1, holder=Holder("session:1"))
        with pytest.raises(stock_refusal):
            stock_room.receive(inventory_id=row.pk, units=1)


@pytest.mark.parametrize(("state", "refusal"), [("25006", Busy), ("53100", Storage)])
def test_on_a_fault_a_batch_is_refused_at_once_and_not_one_by_one(
    row, monkeypatch, state, refusal
) -> None:
    other = stocked(50, warehouse="del-01")
    failing(state)
    outcomes, tries = run_batch(monkeypatch, [row.pk, other.pk])
    assert [type(outcome) for outcome in outcomes] == [refusal] * 8
    assert tries == 1


def test_without_a_database_a_batch_waits_once(row, monkeypatch) -> None:
    with connected({"pool": {"min_size": 1, "max_size": 4, "timeout": 0.2}}, HOST="/nowhere"):
        outcomes, tries = run_batch(monkeypatch, [row.pk, row.pk + 1])
    assert [type(outcome) for outcome in outcomes] == [Busy] * 8
    assert tries == 1


def test_a_batch_with_one_command_that_breaks_it_is_still_retried(row, monkeypatch) -> None:
    failing("XX000")
    outcomes, tries = run_batch(monkeypatch, [row.pk])
    assert len(outcomes) == 8
    assert tries == 1 + 8


def test_one_command_that_breaks_is_not_tried_again(row, monkeypatch) -> None:
    failing("XX000")
    (outcome,), tries = run_batch(monkeypatch, [row.pk], commands=1)
    assert isinstance(outcome, Error)
    assert tries == 1


def run_batch(monkeypatch, rows: list[int], commands: int = 8) -> tuple[list[object], int]:
    """The outcomes of a batch for these rows, and the number of transactions tried."""
    tries = 0
    transact = engine._transact

    def counted(*arguments):
        nonlocal tries
        tries += 1
        return transact(*arguments)

    monkeypatch.setattr(engine, "_transact", counted)
    batch: list[Command] = [
        Reserve(rows=(rows[n % len(rows)],), quantity=1, holder=Holder(f"session:{n}"))
        for n in range(commands)
    ]
    return list(engine._run(batch, None)), tries
