"""Look-ups of names within a time limit: the system's resolver takes none."""

import socket
import time
from concurrent.futures import Future
from threading import BoundedSemaphore, Thread

# At once. One that no name server answers keeps its thread until the resolver gives up.
_free = BoundedSemaphore(16)


def ip_addresses(host: str, port: int, seconds: float) -> list[str]:
    """The IP addresses behind a name. Raises `OSError` if there is none, or not within these
    seconds; a late answer is not used."""
    ends = time.monotonic() + seconds
    if not _free.acquire(timeout=seconds):
        raise TimeoutError
    answer: Future[list[str]] = Future()
    # The end of the process does not wait for it.
    Thread(target=_look_up, args=(host, port, answer), daemon=True).start()
    return answer.result(max(0.0, ends - time.monotonic()))


def _look_up(host: str, port: int, answer: "Future[list[str]]") -> None:
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        answer.set_result(list(dict.fromkeys(str(row[4][0]) for row in rows)))
    except Exception as error:
        answer.set_exception(error)
    finally:
        _free.release()
