"""`make backup` and `make restore`, for real: of a shop that does not run, into a new folder."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.prepared import copy_prepared
from tests.recovery.backups import with_manifest
from tests.running import PROJECT, clean_environment, processes_of, state_folder, wait_for

pytestmark = pytest.mark.runner

COUNT = """
import os, psycopg
with psycopg.connect(os.environ["APP_DATABASE_URL"]) as shop:
    print(shop.execute("SELECT count(*) FROM catalog_product").fetchone()[0])
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Path]:
    with state_folder() as state:
        copy_prepared(state)
        yield state


@pytest.fixture(scope="module")
def backup(shop: Path) -> Path:
    path = shop.parent / "one.zip"
    done = runner(shop, "backup", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{path}: " in done.stdout
    return path


def runner(state: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "allo.embedded", *arguments],
        cwd=PROJECT,
        env=clean_environment(STATE_DIR=str(state), **environment),
        capture_output=True,
        text=True,
        check=False,
    )


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def pictures(state: Path) -> dict[str, bytes]:
    media = state / "media"
    return {str(p.relative_to(media)): p.read_bytes() for p in media.rglob("*.*")}


def test_restore_that_is_killed_is_no_shop_and_is_repeated_to_the_whole_shop(
    shop: Path, backup: Path
) -> None:
    state = shop.parent / "restored"
    command = [sys.executable, "-m", "allo.embedded", "restore", str(backup)]
    killed = subprocess.Popen(
        command, cwd=PROJECT, env=clean_environment(STATE_DIR=str(state)), stdout=subprocess.DEVNULL
    )
    wait_for((state / "media" / "products").exists, every=0.002)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    wait_for(lambda: not processes_of(state))
    for verb in ("up", "backup"):
        refused = runner(state, verb)
        assert refused.returncode == 1
        assert f"{state} has only a part of a shop: its restore was interrupted." in refused.stderr

    done = runner(state, "restore", str(backup))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("The books balance.") == 2
    assert names(state) == {
        "lock", "log", "media", "metrics", "secrets.json", "servers",
    }  # fmt: skip
    assert pictures(state) == pictures(shop)
    assert len(pictures(state)) > 100
    before, after = (json.loads((place / "secrets.json").read_text()) for place in (shop, state))
    same = {name for name in before if before[name] == after[name]}
    assert same == {"secret_key", "bank_secret", "bank_webhook_secret"}
    counted = runner(state, "exec", "--state", str(state), "--", sys.executable, "-c", COUNT)
    assert counted.stdout.splitlines()[-1] == "106", counted.stderr


def test_restore_into_a_folder_in_use_changes_nothing(shop: Path, backup: Path) -> None:
    refused = runner(shop, "restore", str(backup))
    assert refused.returncode == 1
    assert f"{shop} is in use: there is something in it." in refused.stderr
    assert (shop / "servers" / "postgres" / "PG_VERSION").exists()


def test_restore_that_fails_leaves_the_folder_empty(shop: Path, backup: Path) -> None:
    state = shop.parent / "failed"
    cut = shop.parent / "cut.zip"
    cut.write_bytes(backup.read_bytes()[:-1])
    refused = runner(state, "restore", str(cut))
    assert refused.returncode == 1
    assert f"{cut} is not a whole backup" in refused.stderr
    assert not state.exists()
    newer = with_manifest(backup, shop.parent / "newer.zip", migrations=["allo.0099_later"])
    refused = runner(state, "restore", str(newer))
    assert refused.returncode == 1
    assert "which is newer than this" in refused.stderr
    assert names(state) == {"lock", "log"}


def test_backup_where_no_shop_is_is_refused(shop: Path) -> None:
    refused = runner(shop.parent / "nowhere", "backup")
    assert refused.returncode == 1
    assert f"There is no shop in {shop.parent}/nowhere." in refused.stderr
    assert not (shop.parent / "nowhere").exists()


def test_copied_folder_does_not_use_the_servers_of_the_original(shop: Path) -> None:
    copy = shop.parent / "copy"
    copy.mkdir()
    (copy / "allo.env").write_text(f"DATABASE_URL='postgres:///x'\nSTATE_DIR='{shop}'\n")
    done = subprocess.run(
        [sys.executable, "manage.py", "audit_stock"], cwd=PROJECT, text=True,
        env=clean_environment(STATE_DIR=str(copy)), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert (
        f"{copy}/allo.env is of another folder, {shop}: this one was copied or moved" in done.stderr
    )
    shutil.rmtree(copy)
