"""The shop's own processes, on top of the servers."""

import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Never

from allo.embedded.address import Address, Addresses
from allo.embedded.bank import bank_service, bank_variables
from allo.embedded.console import say, step
from allo.embedded.processes import Program, Service
from allo.embedded.servers import OWNER_URL, start_servers
from allo.embedded.state import read_secrets, write_environment
from allo.embedded.supervisor import Supervisor
from allo.embedded.sweep import stall_detector

PROJECT = Path(__file__).resolve().parents[2]
PYTHON = sys.executable
CELERY = (PYTHON, "-m", "celery", "--app=allo.celery:app")
# Workers do not need to know of each other; without this each start takes 2 s less.
ALONE = ("--without-gossip", "--without-mingle", "--without-heartbeat")
# Threads are enough, as tasks only wait for the database; processes could be orphaned.
POOL = ("--pool=threads", "--concurrency=4")
# gunicorn itself restarts workers that hang, within half of this.
SILENCE_SECONDS = 25.0
ANSWER_SECONDS = 2.0


def services(environment: Mapping[str, str], address: Address, live: Address) -> list[Service]:
    """Return the process table, in the order in which processes start and stop."""
    service = partial(Service, environment=environment, folder=PROJECT)
    stalled = stall_detector(address, environment)
    return [
        service(
            name="web",
            command=[PYTHON, "-m", "gunicorn", "--config=python:allo.gunicorn"],
            ready=address.answers,
            answers=partial(address.answers, ANSWER_SECONDS),
            silence=SILENCE_SECONDS,
            patience=4.0,
        ),
        service(
            name="live",
            command=[PYTHON, "-m", "gunicorn", "--config=python:allo.gunicorn_live"],
            ready=live.answers,
            answers=partial(live.answers, ANSWER_SECONDS),
            silence=SILENCE_SECONDS,
            patience=3.0,
        ),
        service(
            name="worker",
            command=[*CELERY, "worker", *POOL, *ALONE, "--loglevel=INFO"],
            stalled=stalled,
        ),
        service(
            name="beat",
            # No schedule file: one that kill -9 left damaged would stop the next start.
            command=[*CELERY, "beat", "--scheduler=celery.beat:Scheduler", "--loglevel=INFO"],
            stalled=stalled,
        ),
    ]


def serve(
    supervisor: Supervisor, state: Path, addresses: Addresses, environ: Mapping[str, str]
) -> Never:
    """Start everything, print the address, and supervise it until a signal stops it."""
    started = time.monotonic()
    login_file = state / "admin-password"
    known_login = _read(login_file)
    say(f"Allo is starting; its state folder is {state}")
    _start(supervisor, state, addresses, environ)
    say(f"\nAllo is up after {time.monotonic() - started:.1f} s: {addresses.shop.url}")
    if addresses.shop.is_unnamed:
        say("Other machines reach it once SITE_URL has a name that they know it by.")
    if (login := _read(login_file)) != known_login:
        say(f"Admin login: {login} (kept in {login_file}, not shown again)")
    if addresses.bank:
        say(f"Payments go to a simulated bank; its desk: {addresses.bank.url}")
    say(f"Logs are in {supervisor.logs}; Ctrl-C stops everything.")
    supervisor.watch()


def _read(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


def _start(
    supervisor: Supervisor, state: Path, addresses: Addresses, environ: Mapping[str, str]
) -> None:
    secrets = read_secrets(state)
    address, live, bank = addresses.shop, addresses.live, addresses.bank
    variables = {
        **start_servers(supervisor, state, secrets, environ, lasting=True),
        "SECRET_KEY": environ.get("SECRET_KEY") or secrets.secret_key,
        "STATE_DIR": str(state),
        "HOST": address.host,
        "PORT": str(address.port),
        "ALLOWED_HOSTS": address.names(environ),
        "SITE_URL": environ.get("SITE_URL") or address.url.removesuffix("/"),
        "LIVE_PORT": str(live.port),
        "LIVE_URL": environ.get("LIVE_URL") or f"{live.url}live/",
        "LIVE_ALLOW_ORIGINS": environ.get("LIVE_ALLOW_ORIGINS") or ",".join(address.origins),
        **bank_variables(bank, secrets),
    }
    environment = {**environ, **variables, "PYTHONUNBUFFERED": "1"}
    # In a file of its own: every process of the shop reads the other one.
    owner = variables.pop(OWNER_URL, "")
    write_environment(state / "owner.env", {OWNER_URL: owner} if owner else {})
    write_environment(state / "allo.env", variables)
    _prepare(supervisor, environment)
    # From here on no process may have the table owner's password.
    environment.pop(OWNER_URL, None)
    if bank:
        with step("Bank"):
            supervisor.start(bank_service(bank, address, environment))
    with step("Web, live, worker, beat"):
        supervisor.start(*services(environment, address, live))


def _prepare(supervisor: Supervisor, environment: Mapping[str, str]) -> None:
    command = [PYTHON, "manage.py", "prepare"]
    program = Program(command=command, environment=environment, folder=PROJECT)
    with step("Database, catalogue, static files, admin login", talks=True):
        supervisor.complete("prepare", program)
