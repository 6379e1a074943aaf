"""Provides an nginx with brotli: Debian's packages, unpacked beside the project.

`python -m tests.nginx.install` prints its folder. On other systems than Debian the tests of nginx
are skipped, unless it is installed.
"""

import os
import shutil
import subprocess
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / ".nginx"
PACKAGES = ("nginx", "nginx-common", "libnginx-mod-http-brotli-static", "libbrotli1")
PROGRAM = Path("usr/sbin/nginx")
MODULE = Path("usr/lib/nginx/modules/ngx_http_brotli_static_module.so")


def ensure() -> Path | None:
    """The folder that has programs, modules and configuration in Debian's layout."""
    if root := find():
        return root
    if shutil.which("apt-get") and shutil.which("dpkg"):
        _unpack()
    return find()


def find() -> Path | None:
    roots = (Path("/"), FOLDER)
    return next((root for root in roots if (root / MODULE).exists() and _starts(root)), None)


def _starts(root: Path) -> bool:
    return (root / PROGRAM).exists() and _run(str(root / PROGRAM), "-v")


def _unpack() -> None:
    print("Unpacking nginx for the tests", flush=True)
    FOLDER.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        _run("apt-get", "update", "-qq")
    _run("apt-get", "download", "-qq", *PACKAGES)
    for package in FOLDER.glob("*.deb"):
        _run("dpkg", "-x", str(package), str(FOLDER))


def _run(*command: str) -> bool:
    done = subprocess.run(
        command,
        cwd=FOLDER if FOLDER.exists() else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0


if __name__ == "__main__":
    print(f"nginx: {ensure() or 'none'}")
