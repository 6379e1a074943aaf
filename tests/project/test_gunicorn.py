import logging
from types import SimpleNamespace

import pytest

from allo import gunicorn


@pytest.mark.parametrize(
    ("host", "warned"),
    [
        ("", False), ("127.0.0.1", False), ("127.9.9.9", False), ("::1", False),
        ("localhost", False), ("0.0.0.0", True),  # noqa: S104
        ("::", True), ("192.0.2.7", True),
        ("shop.example", True),
    ],
)  # fmt: skip
def test_a_public_host_logs_a_warning(monkeypatch, caplog, host, warned) -> None:
    monkeypatch.setenv("HOST", host)
    gunicorn.on_starting(SimpleNamespace(log=logging.getLogger("gunicorn.error")))
    assert ("Never let the internet do so without a proxy" in caplog.text) == warned
