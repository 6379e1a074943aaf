"""Processes count into files of their own, which are as many as there were processes at once."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from allo.metrics import collecting, counters, slots
from tests.running import PROJECT


def family(state: Path, **more: str) -> list[list[Any]]:
    return [json.loads(line) for line in run_family(state, **more).stdout.splitlines()]


def run_family(state: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.metrics.family"],
        cwd=PROJECT,
        env=os.environ | {"METRICS_DIR": str(state / "metrics")} | more,
        capture_output=True,
        text=True,
        check=True,
    )


def counted(times: float, streams: float) -> dict[str, float]:
    return {
        "allo_verbs_total": times,
        "allo_batch_commands_count": times,
        "allo_live_streams": streams,
    }


def batches(of_three: float) -> list[float]:
    """The buckets up to 1, 2, 4 and so on."""
    return [0, 0, *[of_three] * 6]


def test_what_all_processes_counted_is_added_up_and_outlives_them(tmp_path) -> None:
    assert family(tmp_path) == [
        [True, counted(3, 3), batches(3), 9],
        # What a dead process had is over; what it counted is not.
        [True, counted(3, 2), batches(3), 9],
        # The one in its place takes its files.
        [True, counted(4, 3), batches(4), 9],
    ]
    (folder,) = (tmp_path / "metrics").iterdir()
    # As after a loss of power.
    (folder / "counter_1.db").write_bytes(b"\xff" * 5000)
    # Parent, first and its successor went on counting in their files, and the second in its own.
    lost = counted(8 - 2, 3) | {"allo_batch_commands_count": 8}
    assert family(tmp_path)[-1] == [True, lost, batches(8), 9]


def test_without_a_folder_each_process_counts_for_itself(tmp_path) -> None:
    (tmp_path / "metrics").touch()
    done = run_family(tmp_path)
    first, *_ = done.stdout.splitlines()
    assert json.loads(first) == [False, counted(1, 1), batches(1), 0]
    why = f"METRICS_DIR {tmp_path}/metrics cannot be used: File exists"
    assert done.stderr.count(why) == done.stderr.count("counts for itself") == 1


def test_a_folder_is_made_with_those_above_it_but_no_state_folder(tmp_path) -> None:
    first, *_ = family(tmp_path / "run" / "allo")
    assert first == [True, counted(3, 3), batches(3), 9]
    state = tmp_path / "state"
    done = run_family(tmp_path, METRICS_DIR="", STATE_DIR=str(state))
    assert json.loads(done.stdout.splitlines()[0])[0] is False
    assert "METRICS_DIR" not in done.stderr
    assert not state.exists()


def test_of_a_shared_folder_only_own_folders_that_nobody_counts_into_are_deleted(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(counters, "FOLDER", tmp_path / "0123456789ab")
    kept = {
        "0123456789ab/counter_0.db", "bbbbbbbbbbbb/0.lock", "cccccccccccc/photo.webp",
        "dddddddddddd/of.db/others", "media/0.lock", "media/photo.webp", "servers/counter_0.db",
        "0.db",
    }  # fmt: skip
    for name in (*kept, "aaaaaaaaaaaa/0.lock", "aaaaaaaaaaaa/counter_0.db"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    _, lock = slots.take(tmp_path / "bbbbbbbbbbbb")
    collecting.forget_other_versions()
    os.close(lock)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    counted_into = {f"bbbbbbbbbbbb/{kind}_0.db" for kind in slots.KINDS}
    assert left == kept | counted_into
