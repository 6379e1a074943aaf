"""How the shop connects: what is not in DATABASE_URL, and what is, which wins."""

from collections.abc import Mapping
from typing import Any

# A machine that vanished without a word is given up after some seconds; by itself TCP would wait
# for minutes. In seconds, but for `tcp_user_timeout`. A Unix socket has no use for them.
TCP = {
    "connect_timeout": 2,
    "tcp_user_timeout": 3000,
    "keepalives": 1,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
}


def merged(given: Mapping[str, Any], timeouts: Mapping[str, int]) -> dict[str, Any]:
    """`given` are the URL's parameters; `timeouts` are settings of PostgreSQL in milliseconds."""
    ours = [f"-c {name}={limit}" for name, limit in timeouts.items()]
    # Of two that set the same, PostgreSQL takes the later.
    options = " ".join([*ours, given.get("options", "")]).strip()
    return {**TCP, **given, "options": options}
