"""Whatever dies, at whichever point: the books balance and every promise made is kept."""

import json
import signal
import subprocess
import sys

import pytest

from allo.outbox.models import Message, Told
from reservations import services
from reservations.clock.audit import audit_stock
from reservations.clock.expiry import expire_due
from reservations.exceptions import InsufficientStock, WaitingList
from reservations.models import AdoptedHolder, IdempotencyKey, Reservation
from tests.hooks.hearing import hears, told
from tests.races.doomed import adopt, hold
from tests.reservations.test_verbs import hold as made
from tests.running import PATIENCE, PROJECT, clean_environment, state_folder, wait_for
from tests.server import environment_here, nobody_else_works
from tests.stock import stocked
from tests.waiting import joined, now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


def killed(what: str, point: str, row: int) -> None:
    """Runs the doomed process on the database of this test, and sees it killed."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.races.doomed", what, point, str(row)],
        cwd=PROJECT, env=environment_here(), capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    wait_for(nobody_else_works)


def test_killed_before_commit_there_is_no_hold_and_the_key_is_free() -> None:
    hears()
    row = stocked(5)
    killed("hold", "before-commit", row.pk)
    assert not Reservation.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert not Told.objects.exists()
    answer = hold(row.pk, "k0")
    assert (answer.status, answer.replayed) == (201, False)
    assert audit_stock() == []


def test_killed_after_commit_the_retry_gets_the_stored_answer() -> None:
    hears()
    row = stocked(5)
    killed("hold", "after-commit", row.pk)
    reservation = Reservation.objects.get()
    assert told() == ["reservation.created"]
    answer = hold(row.pk, "k0")
    assert (answer.status, answer.replayed) == (201, True)
    assert json.loads(answer.body) == {"id": str(reservation.pk)}
    assert Reservation.objects.count() == len(told()) == 1
    assert audit_stock() == []


@pytest.mark.parametrize(("point", "left"), [("before-commit", 2), ("after-commit", 0)])
def test_killed_at_sign_in_all_holds_are_adopted_or_none(point, left) -> None:
    rows = [stocked(5, warehouse=f"w-{n}") for n in range(2)]
    for row in rows:
        made(row, 1, "visitor:a")
    killed("adopt", point, rows[0].pk)
    assert Reservation.objects.filter(holder="visitor:a").count() == left
    assert AdoptedHolder.objects.exists() == (left == 0)
    assert len(adopt(rows[0].pk)) == left
    assert Reservation.objects.filter(holder="user:7").count() == 2
    assert audit_stock() == []


@pytest.mark.parametrize(
    ("what", "point", "became"),
    [
        ("release", "before-publishing", "waiting"),
        ("serve", "before-commit", "waiting"),
        ("serve", "before-publishing", "offered"),
    ],
)
def test_killed_while_a_list_is_served_the_next_sweep_goes_on(
    monkeypatch, what, point, became
) -> None:
    """Nobody is served twice, and nobody else gets the unit."""
    monkeypatch.setattr("inventory.events.serve_soon", lambda _products: None)
    row = stocked(1)
    held = made(row, 1, "visitor:a")
    entries = [joined(row, "a"), joined(row, "b")]
    if what == "serve":
        services.release(reservation_id=held.pk)
    killed(what, point, row.pk)
    assert now(entries[0])[0] == became
    with pytest.raises((WaitingList, InsufficientStock)):
        made(row, 1, "visitor:b")
    for _ in range(2):
        expire_due()
        assert [now(entry)[0] for entry in entries] == ["offered", "waiting"]
    assert Message.objects.count() == 1
    assert audit_stock() == []


@pytest.mark.parametrize(("point", "held"), [("before-commit", 1), ("after-commit", 12)])
def test_a_leader_killed_with_a_full_batch_leaves_all_of_it_or_nothing(point, held) -> None:
    row = stocked(50)
    killed("lead", point, row.pk)
    assert Reservation.objects.count() == IdempotencyKey.objects.count() == held
    answers = [hold(row.pk, f"k{n}") for n in range(12)]
    assert sum(answer.replayed for answer in answers) == held
    assert Reservation.objects.count() == 12
    assert audit_stock() == []


def test_servers_killed_under_load_cost_no_promise() -> None:
    victims = ["valkey-server", "postgres"]
    with state_folder() as state:
        process = subprocess.run(
            [
                sys.executable, "-m", "allo.embedded", "exec", "--state", str(state), "--",
                sys.executable, "-m", "tests.races.under_load", *victims,
            ],
            cwd=PROJECT, capture_output=True, timeout=600, check=False,
            env=clean_environment(),
        )  # fmt: skip
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    saw = json.loads(process.stdout.splitlines()[-1])
    assert saw["broken"] == []
    assert saw["findings"] == []
    assert saw["acknowledged"] > 50
    assert [*saw["deaths"]] == victims
    for death in saw["deaths"].values():
        assert death["after"] > 0
        # 5 s on a machine that does nothing else; here other tests run beside it. On a slow one
        # the tables took longer than that to make.
        assert death["recovered_in"] < max(15, saw["prepared_in"])
