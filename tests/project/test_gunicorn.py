import logging
import subprocess
import sys
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser

from allo import gunicorn, gunicorn_live
from allo.logs import OneLine
from tests.running import PROJECT, clean_environment

POOL = """
import allo.wsgi
from django.conf import settings
print(settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"])
"""


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


@pytest.mark.parametrize("server", [gunicorn, gunicorn_live])
def test_no_header_says_below_which_address_the_shop_is(server) -> None:
    config = Config()
    config.set("forwarder_headers", server.forwarder_headers)
    sent = b"GET /x/ HTTP/1.1\r\nHost: a\r\nSCRIPT_NAME: /x\r\nPATH_INFO: /y\r\n\r\n"
    request = next(RequestParser(config, iter([sent]), ("127.0.0.1", 1)))
    assert [name for name, _ in request.headers] == ["HOST"]


def test_the_web_server_keeps_as_many_database_connections_as_threads() -> None:
    """In a process of its own, which reads the settings as a web server does."""
    said = subprocess.check_output(
        [sys.executable, "-c", POOL], cwd=PROJECT, env=clean_environment(WEB_THREADS="7")
    )
    assert said == b"7\n"


FORGED = "x\r\n2026-01-01 00:00:00 INFO - allo: forged\x1b[2J\u202e"
SHOWN = r"x\r\n2026-01-01 00:00:00 INFO - allo: forged\x1b[2J\u202e"


@pytest.mark.parametrize("logger", ["gunicorn.error", "django.security.X", "allo.somewhere"])
@pytest.mark.parametrize(
    ("words", "values"), [(FORGED, ()), ("%s", (FORGED,))], ids=["words", "values"]
)
def test_nobody_else_writes_a_line_of_the_log(logger, words, values) -> None:
    record = logging.LogRecord(logger, logging.WARNING, "f", 1, words, values, None)
    assert OneLine().filter(record)
    assert logging.Formatter().format(record) == SHOWN


def test_nobody_else_writes_a_line_of_a_traceback() -> None:
    error = ValueError(FORGED)
    record = logging.LogRecord(
        "allo.somewhere", logging.ERROR, "f", 1, "failed", (), (ValueError, error, None)
    )
    assert OneLine().filter(record)
    assert logging.Formatter().format(record).splitlines() == ["failed", f"ValueError: {SHOWN}"]


def test_what_a_library_says_ends_with_its_last_word() -> None:
    words, values = "Trying again… (%s)\n", ("1/100",)
    record = logging.LogRecord("celery", logging.ERROR, "f", 1, words, values, None)
    assert OneLine().filter(record)
    assert record.getMessage() == "Trying again… (1/100)"


@pytest.mark.parametrize("logger", ["gunicorn.error", "django.request", "allo.somewhere"])
@pytest.mark.parametrize("level", [logging.WARNING, logging.ERROR])
@pytest.mark.parametrize("name", ["key", "place", "ticket"])
def test_no_log_has_what_a_signed_link_carries(logger, level, name) -> None:
    link = f"/orders/AL-7K3M-9QTX/?{name}=Qm9v-Zz_1:abc&x=1"
    for message, args in ((f"Error handling {link}", ()), ("Error handling %s %s", ("GET", link))):
        record = logging.LogRecord(logger, level, "f", 1, message, args, None)
        assert OneLine().filter(record)
        assert "Qm9v" not in record.getMessage()
        assert record.getMessage().endswith(f"/orders/AL-7K3M-9QTX/?{name}=…&x=1")
