"""Copies everything of one PostgreSQL into another that runs beside it and is empty."""

from dataclasses import dataclass
from subprocess import DEVNULL, PIPE, Popen
from tempfile import TemporaryFile

from allo.embedded.console import step
from allo.embedded.errors import RunnerError
from allo.embedded.postgres import Cluster
from allo.embedded.processes import Program, describe_end, launch, run_tool, telling_lines
from allo.embedded.signals import SignalQueue

SUPERUSER = "postgres"
# The new server has this role already.
MAKES_THE_SUPERUSER = f"CREATE ROLE {SUPERUSER};\n"
DATABASES = """
    SELECT datname FROM pg_database WHERE datallowconn AND datname NOT IN ('postgres', 'template1')
"""


@dataclass(frozen=True)
class Move:
    """`password` is the superuser's on both servers. The programs are those of the new server,
    which can read an older one's data."""

    old: Cluster
    new: Cluster
    password: str
    queue: SignalQueue

    def everything(self) -> None:
        with step("Roles"):
            self._roles()
        for name in self._ask(self.old, DATABASES).splitlines():
            with step(f'Database "{name}"'):
                self._database(name)
        with step("Statistics"):
            self.run(self._program(self.new, "vacuumdb", "--all", "--analyze-only", "--quiet"))
            # Writes all to disk now, so that the server has little to do when it is stopped.
            self._ask(self.new, "CHECKPOINT")

    def _roles(self) -> None:
        """With their passwords, which nobody can read."""
        found = run_tool(self._program(self.old, "pg_dumpall", "--globals-only"))
        psql = self._program(self.new, "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1")
        run_tool(psql, found.replace(MAKES_THE_SUPERUSER, "", 1))

    def _database(self, name: str) -> None:
        """With its owner, privileges and settings."""
        self.run(
            self._program(self.old, "pg_dump", "--format=custom", "--compress=0", database=name),
            self._program(
                self.new, "pg_restore", "--create", "--exit-on-error", f"--dbname={SUPERUSER}"
            ),
        )

    def _ask(self, server: Cluster, statement: str) -> str:
        options = ("--no-psqlrc", "--tuples-only", "--no-align", f"--command={statement}")
        return run_tool(self._program(server, "psql", *options))

    def _program(
        self, server: Cluster, name: str, *arguments: str, database: str = SUPERUSER
    ) -> Program:
        return self.new.program(
            name,
            *arguments,
            PGHOST=str(server.place.sockets),
            PGPORT=str(server.port),
            PGUSER=SUPERUSER,
            PGPASSWORD=self.password,
            PGDATABASE=database,
        )

    def run(self, first: Program, second: Program | None = None) -> None:
        """Run a program; `second` reads what it writes. A signal ends both."""
        with TemporaryFile() as complaints:
            target = PIPE if second else DEVNULL
            running = [launch(first, stdin=DEVNULL, stdout=target, stderr=complaints)]
            if second and (written := running[0].stdout):
                running.append(launch(second, stdin=written, stdout=DEVNULL, stderr=complaints))
                # Only the second one may hold the pipe, so that the first one notices when that
                # ends.
                written.close()
            self._await(running)
            failed = [process.returncode for process in running if process.returncode]
            complaints.seek(0)
            if failed:
                raise RunnerError(
                    f"{first.command[0]} {describe_end(failed[-1])}. Nothing was changed.",
                    telling_lines(complaints.read().decode(errors="replace")),
                )

    def _await(self, running: list[Popen[bytes]]) -> None:
        try:
            while any(process.poll() is None for process in running):
                self.queue.pause(None)
        finally:
            for process in running:
                process.kill()
                process.wait()
