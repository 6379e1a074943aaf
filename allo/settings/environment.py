"""Where the shop runs: in production or not, its state folder, its hosts and its secret key."""

import os
import secrets
import sys
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from allo.embedded.state import names_another

BASE_DIR = Path(__file__).resolve().parents[2]

env = environ.Env()
STATE_DIR = Path(env.str("STATE_DIR", default=str(BASE_DIR / "var"))).resolve()
_given = "DATABASE_URL" in os.environ
_left = STATE_DIR / "allo.env"
# A copy of a state folder would lead to the servers of the original.
_is_of_another = names_another(_left, STATE_DIR)
if _is_of_another and not _given:
    raise ImproperlyConfigured(
        f"{_left} is of another folder, {_is_of_another}: this one was copied or moved, and would"
        " use the servers of that one. Start it with `make up`, which writes this file anew."
    )
if not _is_of_another:
    environ.Env.read_env(_left, overwrite=False)

# Commands that change the schema, or copy all of it, connect as its owner. The shop connects as a
# role with fewer rights, and its processes must not know the owner's password.
OWNER_COMMANDS = {"migrate", "prepare", "grant_privileges", "backup", "restore"}
AS_OWNER = len(sys.argv) > 1 and sys.argv[1] in OWNER_COMMANDS
if not AS_OWNER:
    os.environ.pop("MIGRATION_DATABASE_URL", None)
elif not _given:
    environ.Env.read_env(STATE_DIR / "owner.env", overwrite=False)

# A silent name server would be asked for 10 s. glibc reads this at a process's first look-up.
os.environ["RES_OPTIONS"] = env.str("RES_OPTIONS", default="timeout:1 attempts:2")

PRODUCTION = env.bool("PRODUCTION", default=False)
DEBUG = env.bool("DEBUG", default=False)
HTTPS = env.bool("HTTPS", default=PRODUCTION)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Outside production a random key is enough: it cannot leak; a restart ends the sessions.
SECRET_KEY = env.str("SECRET_KEY", default="" if PRODUCTION else secrets.token_urlsafe(50))

if PRODUCTION and (DEBUG or "*" in ALLOWED_HOSTS or len(SECRET_KEY) < 50):
    raise ImproperlyConfigured(
        "PRODUCTION needs a SECRET_KEY of 50 characters or more, named ALLOWED_HOSTS and no DEBUG."
    )

# How many proxies in front add to X-Forwarded-For; 0 ignores that header.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
