"""Whether sweeps still run: a worker or beat can hang while its process is alive."""

import json
from collections.abc import Callable, Mapping

from allo.embedded.address import Address

MISSED_SWEEPS = 6
LEAST_SECONDS = 20.0
ANSWER_SECONDS = 1.0


def stall_detector(address: Address, environ: Mapping[str, str]) -> Callable[[float], bool]:
    """Make a check for worker and beat: given for how many seconds the process and all it depends
    on were well, it tells whether a sweep is overdue.

    `/readyz` has the time of the last sweep. Without a response from it, no process is restarted.
    """
    interval = int(environ.get("EXPIRY_SWEEP_SECONDS") or 10)
    limit = max(MISSED_SWEEPS * min(interval, 60), LEAST_SECONDS)

    def stalled(seconds_well: float) -> bool:
        if seconds_well < limit or not (report := address.get("/readyz", ANSWER_SECONDS)):
            return False
        age = json.loads(report).get("last_sweep_seconds_ago")
        return age is None or age > limit

    return stalled
