"""Whether the clock still ticks: a worker or a beat can hang, alive and at nothing."""

import json
from collections.abc import Callable, Mapping

from allo.embedded.address import Address

MISSED_SWEEPS = 6
LEAST_SECONDS = 20.0
ANSWER_SECONDS = 1.0


def stall_detector(address: Address, environ: Mapping[str, str]) -> Callable[[float], bool]:
    """Make what tells whether no sweep came of a process that for so many seconds was well, and
    everything it needs.

    Readiness says when the last sweep ended. Where nobody can say, nobody is to blame.
    """
    interval = int(environ.get("EXPIRY_SWEEP_SECONDS") or 10)
    limit = max(MISSED_SWEEPS * min(interval, 60), LEAST_SECONDS)

    def stalled(seconds_well: float) -> bool:
        if seconds_well < limit or not (report := address.get("/readyz", ANSWER_SECONDS)):
            return False
        age = json.loads(report).get("last_sweep_seconds_ago")
        return age is None or age > limit

    return stalled
