"""Connection parameters: the shop's defaults, which those in DATABASE_URL override."""

from collections.abc import Mapping
from typing import Any

# A server that vanished is given up after some seconds; TCP alone would wait for minutes. In
# seconds, except `tcp_user_timeout` (ms). A Unix socket ignores them.
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
    # If both set the same, PostgreSQL uses the later one.
    options = " ".join([*ours, given.get("options", "")]).strip()
    return {**TCP, **given, "options": options}
