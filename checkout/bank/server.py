"""The bank's HTTP server: the API, the controls, and pages."""

import logging
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from checkout.bank import control, desk, payment_page, protocol
from checkout.bank.bank import Bank
from checkout.bank.problems import Problem
from checkout.bank.protocol import Unanswered
from checkout.bank.web import Request, Response

log = logging.getLogger("bank")

HOST = "127.0.0.1"
MOST_BYTES = 1_000_000


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, bank: Bank, port: int) -> None:
        super().__init__((HOST, port), Handler)
        self.bank = bank


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "bank", ""
    # Of an idle connection, in seconds.
    timeout = 20
    # Headers and body are two writes.
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        try:
            self._send(self._response())
        except Unanswered:
            self.close_connection = True
        except ConnectionError:
            # The caller did not wait for the answer; what was done stays done.
            self.close_connection = True

    def _response(self) -> Response:
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()) or int(length) > MOST_BYTES:
            self.close_connection = True
            too_much = f"Give a body of {MOST_BYTES} bytes at most, and its length."
            return Response.of_problem(Problem(413, "invalid_request_error", too_much))
        return respond(self.server.bank, self._read(int(length)))

    def _read(self, length: int) -> Request:
        path, _, query = self.path.partition("?")
        return Request(self.command, path, query, self.headers, self.rfile.read(length))

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if self.path != "/health":
            super().log_request(code, size)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        log.info(format, *arguments)


def respond(bank: Bank, request: Request) -> Response:
    try:
        return _routed(bank, request)
    except Problem as problem:
        return Response.of_problem(problem)
    except Unanswered:
        raise
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return Response.of_problem(Problem(500, "api_error", "The bank failed; see its log."))


def _routed(bank: Bank, request: Request) -> Response:
    _require_own_name(bank, request)
    if request.path.startswith("/v1/"):
        return protocol.answer(bank, request)
    if request.path.startswith("/control/"):
        protocol.require_key(bank, request)
        return control.answer(bank, request)
    if request.method == "POST":
        _require_own_page(bank, request)
    if request.path.startswith(("/pay/", "/authenticate/")):
        return payment_page.answer(bank, request)
    return desk.answer(bank, request)


def _require_own_name(bank: Bank, request: Request) -> None:
    """Against DNS rebinding: a web page can make its own host name resolve to this machine's
    address."""
    own = urlsplit(bank.url).netloc
    if request.headers.get("Host") not in {own, own.replace(HOST, "localhost")}:
        raise Problem(421, "invalid_request_error", f"This is {bank.url}.")


def _require_own_page(bank: Bank, request: Request) -> None:
    """Against forms of other sites: browsers send the origin of the page that a form is on."""
    own = f"//{request.headers['Host']}"
    if urlsplit(request.headers.get("Origin", bank.url))[1] != own[2:]:
        raise Problem(403, "invalid_request_error", "This form is not of the bank's own page.")
