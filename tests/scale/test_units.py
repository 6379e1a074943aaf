"""`allo/deploy/systemd/`: systemd takes each unit, and starts what `make up` starts."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from allo.embedded.shop import PROJECT

UNITS = PROJECT / "allo/deploy/systemd"
PROCESSES = {
    "allo-web": "gunicorn --config python:allo.gunicorn",
    "allo-live": "gunicorn --config python:allo.gunicorn_live",
    "allo-worker": "celery --app allo.celery worker --pool threads",
    "allo-beat": "celery --app allo.celery beat",
    "allo-prepare": "python manage.py prepare",
    "allo-backup": "python manage.py backup",
}
# They run once, as the owner of the tables.
ONCE = {"allo-prepare", "allo-backup"}


def test_units_start_the_shops_processes_which_know_no_owner() -> None:
    found = {path.stem: path.read_text() for path in UNITS.glob("*.service")}
    assert found.keys() == PROCESSES.keys()
    for name, text in found.items():
        assert f"ExecStart=/srv/allo/.venv/bin/{PROCESSES[name]}" in text
        assert "User=allo\n" in text
        assert "ReadWritePaths=/srv/allo/var\n" in text
        assert ("owner.env" in text) == (name in ONCE)
    wanted = (UNITS / "allo.target").read_text()
    assert all(f"{name}.service" in wanted for name in PROCESSES.keys() - ONCE)


def test_units_may_write_the_folder_that_the_documents_name_for_what_is_counted() -> None:
    for page in ("settings", "monitoring"):
        said = (PROJECT / f"docs/{page}.md").read_text()
        assert {*re.findall(r"`/run/(\w+)/metrics`", said)} == {"allo"}
    for path in UNITS.glob("*.service"):
        assert "RuntimeDirectory=allo\nRuntimeDirectoryPreserve=yes\n" in path.read_text()


def test_what_the_documents_restart_is_all_that_runs_but_the_socket() -> None:
    """It is part of the target: restarted with it, it would drop the requests that wait."""
    said = re.findall(r"systemctl restart ([\w. -]+)", (PROJECT / "docs/server.md").read_text())
    assert said
    for units in said:
        assert {*units.split()} == PROCESSES.keys() - ONCE


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """It looks for the programs too, which are those of this project here."""
    program = shutil.which("systemd-analyze")
    if program is None:
        # Only where there is no systemd: another test has read the units.
        return
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/srv/allo/.venv/bin", str(Path(sys.executable).parent))
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        [program, "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
