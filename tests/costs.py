"""The time and memory of a program that parses a file, as the system counts them."""

import subprocess
import sys
from tempfile import TemporaryFile

from allo.confined import OUT_OF_MEMORY, PROJECT, Limits

# A new process first has the size of its parent, so a small launcher starts it.
LAUNCHER = """
import os, subprocess, sys
command = [sys.executable, "-W", "ignore", "-m", *sys.argv[1:]]
program = subprocess.Popen(command, stdin=0, stdout=subprocess.PIPE)
answer = program.stdout.read()
_, code, used = os.wait4(program.pid, 0)
print(code, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024, flush=True)
os.write(1, answer[:200] + answer[-300:])
"""
ENDED = {"24": "more time", str(OUT_OF_MEMORY << 8): "more memory"}


def cost_of(module: str, content: bytes, limits: Limits) -> tuple[str, float, int]:
    """The output, or the limit that ended it; the CPU seconds, and the megabytes."""
    command = [module, str(limits.cpu_seconds), str(limits.memory)]
    with TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        done = subprocess.run(
            [sys.executable, "-c", LAUNCHER, *command],
            stdin=file, capture_output=True, cwd=PROJECT, check=True,
        )  # fmt: skip
    first, _, answer = done.stdout.decode(errors="replace").partition("\n")
    code, seconds, megabytes = first.split()
    return ENDED.get(code, answer), float(seconds), int(megabytes)
