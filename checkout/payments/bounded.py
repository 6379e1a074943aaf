"""The HTTP client of the SDK: several calls share one time limit."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests
import stripe

from allo.metrics import counters

READ_BYTES = 65_536


class BoundedClient(stripe.HTTPClient):
    """The SDK's own client starts its time limit anew for each call, and for each wait within a
    call. Here all calls inside one `limit()` share its time."""

    name = "requests"

    def __init__(self, seconds: float, *, proxies: bool) -> None:
        """`proxies`: whether to use the environment's proxies."""
        super().__init__()
        self._seconds = seconds
        self._proxies = proxies
        self._of_thread = threading.local()

    @contextmanager
    def limit(self) -> Iterator[None]:
        self._of_thread.ends = time.monotonic() + self._seconds
        yield

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None,
        **_: object,
    ) -> tuple[Any, int, Mapping[str, str]]:  # fmt: skip
        try:
            response = self._session().request(
                method, url, headers=headers, data=post_data, timeout=self._left(), stream=True
            )
            with response:
                content = self._content(response)
        except (requests.RequestException, stripe.APIConnectionError) as error:
            counters.PAYMENT_CALLS.labels("unreachable").inc()
            raise unreachable(str(error)) from error
        counters.PAYMENT_CALLS.labels(counters.class_of(response.status_code)).inc()
        return content, response.status_code, response.headers

    def _content(self, response: requests.Response) -> bytes:
        content = bytearray()
        for part in response.iter_content(READ_BYTES):
            content += part
            self._left()
        return bytes(content)

    def _left(self) -> float:
        left = float(self._of_thread.ends - time.monotonic())
        if left <= 0:
            raise unreachable(f"no answer within {self._seconds} s")
        return left

    def _session(self) -> requests.Session:
        """One for each thread: requests does not say that sessions can be shared."""
        if not hasattr(self._of_thread, "session"):
            self._of_thread.session = requests.Session()
            self._of_thread.session.trust_env = self._proxies
        session: requests.Session = self._of_thread.session
        return session

    def close(self) -> None:
        if hasattr(self._of_thread, "session"):
            self._of_thread.session.close()


def unreachable(message: str) -> stripe.APIConnectionError:
    return stripe.APIConnectionError(message)  # type: ignore[no-untyped-call]
