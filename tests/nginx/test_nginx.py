"""`allo/deploy/nginx.conf` in Debian's nginx, in front of the real shop."""

import http.client
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.message import Message
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit
from uuid import uuid4

import pytest
from django.conf import settings
from django.urls import URLResolver, get_resolver, resolve
from django.urls.resolvers import RoutePattern
from redis import Redis

from tests.nginx.install import MODULE, PROGRAM, ensure
from tests.prepared import prepared_shop
from tests.running import PROJECT, Shop, free_port, wait_for

pytestmark = pytest.mark.runner

MAIN = """
{user}
load_module {root}/{module};
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    include {root}/etc/nginx/mime.types;
    log_format kept "$http_x_trace $upstream_cache_status";
    access_log {folder}/access.log kept;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""
HERE = "127.0.0.1"
HAS_IPV6 = Path("/proc/net/if_inet6").exists()
# In a pattern of addresses, and what stands there in one of them.
CONVERTED = re.compile(r"<(?:(\w+):)?\w+>")
SAMPLES = {"slug": "tidal", "int": "1", "uuid": str(uuid4()), "uuidstr": str(uuid4())}
HASHED = re.compile(r"/static/css/shop\.[0-9a-f]{12}\.css")


def behind(web: Iterable[int], live: Iterable[int], state: Path, port: int) -> str:
    """The file itself, for shops at these ports, without the directives that need a certificate."""
    text = (PROJECT / "allo/deploy/nginx.conf").read_text()
    for there, here in (
        ("server 127.0.0.1:8000;", _servers(web)),
        ("server 127.0.0.1:8001;", _servers(live)),
        ("/srv/allo/var", str(state)),
        ("listen 443 ssl http2;", f"listen {HERE}:{port};"),
        ("listen 443 ssl default_server;", f"listen {HERE}:{port} default_server;"),
        ("listen [::]:443 ssl http2;", f"listen [::1]:{port};"),
        ("listen [::]:443 ssl default_server;", f"listen [::1]:{port} default_server;"),
        # Beside the log in which these tests look for what they sent.
        (
            "access_log /var/log/nginx/access.log allo;",
            "access_log access.log kept; access_log public.log allo;",
        ),
        ("/var/log/nginx/error.log", "error.log"),
    ):
        assert there in text
        text = text.replace(there, here)
    text = re.sub(r"server \{\s+listen 80;.*?\n\}\n", "", text, flags=re.DOTALL)
    absent = "" if HAS_IPV6 else r"|listen \[::1\]"
    return re.sub(rf"\n +(ssl_|listen (\[::\]:)?80 {absent})[^;]+;", "", text)


def _servers(ports: Iterable[int]) -> str:
    return " ".join(f"server 127.0.0.1:{port};" for port in ports)


@contextmanager
def serving(root: Path, folder: Path, text: str) -> Iterator[None]:
    """nginx with this site."""
    user = "user root root;" if os.geteuid() == 0 else ""
    (folder / "site.conf").write_text(text)
    (folder / "nginx.conf").write_text(
        MAIN.format(user=user, root=root, module=MODULE, folder=folder)
    )
    process = subprocess.Popen([root / PROGRAM, "-p", folder, "-c", folder / "nginx.conf"])
    try:
        wait_for(lambda: process.poll() is not None or (folder / "pid").exists())
        assert process.poll() is None, (folder / "error.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    behind = {
        "LIVE_URL": "/live/",
        "TRUSTED_PROXIES": "1",
        "ALLOWED_HOSTS": "shop.example",
    }
    if not ensure():
        assert not shutil.which("apt-get"), "Debian's nginx could not be fetched"
        pytest.skip("nginx is fetched from Debian, which this is not")
    with prepared_shop(**behind, RESERVE_RATE="1/h", SHARED_PAGES="on") as shop:
        yield shop


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def nginx(shop: Shop, folder: Path) -> Iterator[int]:
    """Its port."""
    root, port = ensure(), free_port()
    assert root
    text = behind([shop.port], [int(shop.variables()["LIVE_PORT"])], shop.state, port)
    with serving(root, folder, text):
        yield port


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def ask(
    port: int, path: str, *, method: str = "GET", body: bytes = b"", at: str = HERE, **headers: str
) -> Reply:
    with asking(port, path, method, body, headers, at=at) as response:
        return Reply(response.status, response.headers, response.read())


@contextmanager
def asking(
    port: int,
    path: str,
    method: str = "GET",
    body: bytes = b"",
    headers: Mapping[str, str] = {},
    *,
    at: str = HERE,
) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection(at, port, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(connection):
        connection.request(method, path, body or None, {"Host": "shop.example", **named})
        with connection.getresponse() as response:
            yield response


def test_a_page_has_its_public_address_and_is_compressed_once(nginx: int) -> None:
    page = ask(nginx, "/", X_Forwarded_Proto="https", X_Forwarded_Host="evil.example").text
    assert '<link rel="canonical" href="http://shop.example/">' in page
    assert ask(nginx, "/", Accept_Encoding="gzip").headers["Content-Encoding"] == "gzip"


def kept(port: int, folder: Path, path: str, cookie: str = "", **headers: Any) -> set[str]:
    """What nginx did about its cache at each of several requests, such as "HIT"."""
    trace = str(uuid4())
    for _ in range(12):
        assert ask(port, path, Cookie=cookie, X_Trace=trace, **headers).status == 200

    def logged() -> list[str]:
        lines = (folder / "access.log").read_text().splitlines()
        return [line.split()[1] for line in lines if line.startswith(trace)]

    wait_for(lambda: len(logged()) == 12)
    return set(logged())


@pytest.mark.parametrize("path", ["/", "/p/tidal/", "/api/products"])
def test_nginx_keeps_pages_that_all_visitors_share(nginx: int, folder: Path, path: str) -> None:
    assert "HIT" in kept(nginx, folder, path)
    assert "HIT" in kept(nginx, folder, path, "csrftoken=x; place=y")
    assert kept(nginx, folder, path, "sessionid=x") == {"BYPASS"}
    assert kept(nginx, folder, path, "allo_acted=1") == {"BYPASS"}


def test_what_the_shop_takes_for_a_visitors_own_keeps_nobody_waiting(
    nginx: int, folder: Path
) -> None:
    """Else the next visitor of the page would wait for an answer that is not kept."""
    assert kept(nginx, folder, "/", "sessionid=") == {"BYPASS"}
    assert kept(nginx, folder, "/", "xsessionid=x") == {"BYPASS"}
    assert "HIT" in kept(nginx, folder, "/?sort=name", Authorization="")


def test_nginx_keeps_no_page_with_a_cookie_or_a_token(nginx: int, folder: Path) -> None:
    assert kept(nginx, folder, "/p/tidal/reserve/") == {"-"}
    first, second = (ask(nginx, "/p/tidal/reserve/") for _ in range(2))
    assert first.headers["Set-Cookie"] != second.headers["Set-Cookie"]
    assert kept(nginx, folder, "/reservations/") == {"-"}


def addresses(patterns: Iterable[Any], before: str = "/") -> Iterator[tuple[str, bool]]:
    """One of each kind, and whether all visitors share its page."""
    for pattern in patterns:
        # But for the one by which the admin refuses all other addresses.
        if isinstance(pattern.pattern, RoutePattern):
            path = before + CONVERTED.sub(lambda it: SAMPLES.get(it[1], "x"), str(pattern.pattern))
            if isinstance(pattern, URLResolver):
                yield from addresses(pattern.url_patterns, path)
            else:
                sharing = getattr(pattern.callback, "sharing", None)
                yield path, sharing is not None and not sharing.parts_only


def test_nginx_looks_for_a_kept_page_only_at_what_all_visitors_share(
    nginx: int, folder: Path
) -> None:
    """There it sends one request at a time. Elsewhere visitors would wait for each other."""
    shared = dict(addresses(get_resolver().url_patterns))
    assert set(shared.values()) == {True, False}
    trace = str(uuid4())
    for path in shared:
        ask(nginx, path, X_Trace=f"{trace}{path}")

    def logged() -> dict[str, bool]:
        lines = (folder / "access.log").read_text().splitlines()
        found = (line.removeprefix(trace).split() for line in lines if line.startswith(trace))
        return {path: status != "-" for path, status in found}

    wait_for(lambda: logged().keys() == shared.keys())
    assert logged() == shared


def test_parts_for_htmx_are_kept_apart(nginx: int) -> None:
    for _ in range(2):
        assert "<html" not in ask(nginx, "/", HX_Request="true", HX_Target="results").text
        assert "<html" in ask(nginx, "/").text
    assert ask(nginx, "/", Accept_Encoding="gzip").headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in ask(nginx, "/").headers


@pytest.mark.parametrize(
    ("name", "value"),
    [("HX-Request", "true"), ("HX-Boosted", ""), ("HX-History-Restore-Request", "")],
)
def test_no_whole_page_is_kept_for_a_part(nginx: int, name: str, value: str) -> None:
    """Neither for a header that comes twice nor for an empty one."""
    path, part = f"/?q={uuid4()}", {"HX-Request": "true", "HX-Target": "results"}
    with closing(http.client.HTTPConnection(HERE, nginx, timeout=60)) as connection:
        connection.putrequest("GET", path, skip_host=True)
        for header in (("Host", "shop.example"), *part.items(), (name, value)):
            connection.putheader(*header)
        connection.endheaders()
        odd = connection.getresponse().read()
    assert "<html" not in ask(nginx, path, HX_Request="true", HX_Target="results").text
    assert b"<html" not in odd


def test_the_page_of_a_client_that_refuses_gzip_is_not_kept_for_others(nginx: int) -> None:
    path = f"/?q={uuid4()}"
    assert "Content-Encoding" not in ask(nginx, path, Accept_Encoding="gzip;q=0").headers
    assert ask(nginx, path, Accept_Encoding="gzip").headers["Content-Encoding"] == "gzip"


def test_a_kept_page_has_the_clock_of_now(nginx: int) -> None:
    ask(nginx, "/")
    before = time.time()
    [said] = ask(nginx, "/").headers.get_all("Server-Timing") or [""]
    now = float(said.removeprefix("now;dur=")) / 1000
    # It has whole milliseconds.
    assert before - 0.001 <= now <= time.time()


def test_each_answer_has_the_id_that_nginx_logs(nginx: int, folder: Path) -> None:
    ids = [ask(nginx, path, User_Agent="watcher").headers.get_all("X-Request-ID") or []
           for path in ("/", "/", "/p/tidal/", "/orders/AL-7K3M-9QTX/")]  # fmt: skip
    own = [one for (one,) in ids]
    assert len(set(own)) == 4

    def logged() -> list[str]:
        lines = (folder / "public.log").read_text().splitlines()
        return [line.split()[2] for line in lines if '"watcher"' in line]

    wait_for(lambda: sorted(logged()) == sorted(own))


def test_metrics_are_of_all_processes_and_for_this_machine_alone(nginx: int, shop: Shop) -> None:
    assert ask(nginx, "/metrics").status == 401
    assert ask(nginx, "/metrics", X_Forwarded_For="127.0.0.1").status == 401

    def has(line: str) -> bool:
        found = ask(shop.port, "/metrics").text
        assert "allo_database_up 1.0" in found
        return re.search(f"^{line}$", found, re.MULTILINE) is not None

    # Counted by the live process, by the worker and by the web server.
    with asking(nginx, "/live/room/7/events?place=x"):
        pass
    wait_for(lambda: has("allo_live_streams 0.0"))
    task = r'allo_tasks_total\{outcome="ok",task="reservations.clock.tasks.expire_due"\} [1-9].*'
    wait_for(lambda: has(task))
    assert has(r'allo_responses_total\{status="2xx",view="catalog:grid"\} [1-9].*')


def test_the_runner_and_the_bank_reach_the_shop_by_its_own_address(shop: Shop) -> None:
    assert shop.answers()


def test_health_is_for_this_machine_alone(nginx: int, shop: Shop) -> None:
    for path in ("/livez", "/readyz"):
        assert (ask(nginx, path).status, ask(shop.port, path).status) == (404, 200)


def test_pages_listen_on_their_own_origin(nginx: int) -> None:
    page = ask(nginx, "/p/tidal/")
    assert 'data-live-url="/live/"' in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "connect-src 'self'" in policy.split("; ")


@pytest.mark.parametrize("at", [HERE, *(["::1"] if HAS_IPV6 else [])])
def test_other_host_names_get_no_response(nginx: int, at: str) -> None:
    assert ask(nginx, "/", at=at).status == 200
    with pytest.raises(http.client.RemoteDisconnected):
        ask(nginx, "/", at=at, Host="evil.example")


def test_a_page_asked_for_with_a_port_is_not_kept_for_those_without(nginx: int) -> None:
    assert "shop.example:1234/" in ask(nginx, "/?sort=name", Host="shop.example:1234").text
    assert "shop.example:1234/" not in ask(nginx, "/?sort=name").text


@pytest.mark.parametrize("encoding", ["br", "gzip"])
def test_static_files_are_compressed_and_immutable(nginx: int, encoding: str) -> None:
    page = ask(nginx, "/").text
    found = HASHED.search(page)
    assert found
    response = ask(nginx, found[0], Accept_Encoding=encoding)
    assert response.status == 200
    assert response.headers["Content-Encoding"] == encoding
    assert response.headers["Content-Type"] == "text/css"
    assert "immutable" in response.headers["Cache-Control"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Server"] == "nginx"


def test_nginx_serves_pictures_from_disk(nginx: int) -> None:
    found = re.search(r"/media/products/[\w.-]+", ask(nginx, "/").text)
    assert found
    response = ask(nginx, found[0])
    assert response.status == 200
    assert "immutable" in response.headers["Cache-Control"]
    assert response.headers["Content-Type"] == "image/webp"


def test_a_stream_is_not_buffered(nginx: int, shop: Shop) -> None:
    page = ask(nginx, "/p/tidal/").text
    tokens = re.findall(r'data-hears="([^"]+)"', page)
    product = re.search(r'data-hears="product:(\d+)', page)
    assert product
    query = urlencode([("t", token) for token in tokens])
    with asking(nginx, f"/live/?{query}") as stream:
        assert stream.status == 200
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert stream.headers["Cache-Control"] == "no-store"
        read_until(stream, b"event: up")
        with Redis.from_url(shop.variables()["REDIS_URL"]) as redis:
            redis.publish(settings.LIVE_CHANNEL, f"product:{product[1]} 999999 1 5 5")
        # What is buffered comes once there is much of it, which is never.
        read_until(stream, b" 999999 1 5 5")


def read_until(stream: http.client.HTTPResponse, words: bytes) -> None:
    while words not in (line := stream.readline()):
        assert line


@pytest.fixture(scope="module")
def staff(nginx: int, shop: Shop) -> str:
    """The cookies of somebody who may do everything."""
    login, password = (shop.state / "admin-password").read_text().strip().split(", password ")
    form = ask(nginx, "/admin/login/")
    fields = {"username": login, "password": password, **hidden(form.text)}
    answer = post(nginx, "/admin/login/", urlencode(fields).encode(), Cookie=cookies(form))
    assert answer.status == 302
    return cookies(answer)


def post(port: int, path: str, body: bytes, **headers: Any) -> Reply:
    sent = {"Origin": "http://shop.example", "Content_Type": "application/x-www-form-urlencoded"}
    return ask(port, path, method="POST", body=body, **(sent | headers))


def cookies(reply: Reply) -> str:
    lines = reply.headers.get_all("Set-Cookie") or ()
    return "; ".join(line.partition(";")[0] for line in lines)


def hidden(form: str) -> dict[str, str]:
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
    assert token
    return {"csrfmiddlewaretoken": token[1]}


LONG = "/admin/catalog/product/add/"


@pytest.mark.parametrize("path", ["/p/tidal/reserve/", "/admin/", "/admin/login/", LONG])
def test_only_staff_may_send_large_bodies(nginx: int, staff: str, path: str) -> None:
    assert post(nginx, path, b"x" * 100_000).status == 413
    # What nginx takes in the shop refuses, as it has no token.
    taken = 403 if path == LONG else 413
    assert post(nginx, path, b"x" * 100_000, Cookie=staff).status == taken


@pytest.mark.parametrize("told", ["Content-Length: 50000000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("path", ["/p/tidal/reserve/", "/admin/", LONG])
def test_nothing_large_of_others_than_staff_is_written_to_the_disk(
    nginx: int, folder: Path, path: str, told: str
) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: shop.example\r\nCookie: sessionid=x\r\n{told}\r\n\r\n"
    piece = b"x" * 2**20 if "Length" in told else b"%x\r\n%s\r\n" % (2**17, b"x" * 2**17)
    with socket.create_connection((HERE, nginx), timeout=20) as connection:
        connection.sendall(head.encode() + piece)
        assert connection.recv(12) == b"HTTP/1.1 413"
        written = [file.stat().st_size for file in (folder / "body").rglob("*") if file.is_file()]
        assert sum(written) <= 2**16


def test_the_shop_says_whether_staff_ask_and_tells_nobody_else(nginx: int, shop: Shop) -> None:
    assert ask(shop.port, "/admin/is-staff/").status == 403
    assert ask(nginx, "/admin/is-staff/").status == 404


def test_others_are_led_to_the_login_and_from_there_back(nginx: int) -> None:
    answer = ask(nginx, f"{LONG}?category=1&x=2")
    assert answer.status == 302
    assert answer.headers["Location"] == f"/admin/login/?next={LONG}%3Fcategory%3D1%26x%3D2"


def test_staff_may_send_what_ten_pictures_need(nginx: int, staff: str) -> None:
    form = ask(nginx, LONG, Cookie=staff)
    lines = [
        "--x", 'Content-Disposition: form-data; name="csrfmiddlewaretoken"', "",
        hidden(form.text)["csrfmiddlewaretoken"],
        "--x", 'Content-Disposition: form-data; name="image"; filename="large.webp"', "",
    ]  # fmt: skip
    body = "\r\n".join([*lines, "x" * 20_000_000, "--x--", ""]).encode()
    parts = "multipart/form-data; boundary=x"
    answer = post(nginx, LONG, body, Cookie=staff, Content_Type=parts)
    assert answer.status == 200
    assert "The file is larger than 10 MB." in answer.text
    over = ask(nginx, LONG, method="POST", Cookie=staff, Content_Length=str(111 * 2**20))
    assert over.status == 413


def test_staff_may_send_files_from_each_form_that_takes_them(nginx: int, staff: str) -> None:
    pages = admin_pages(nginx, staff)
    takers = {name: path for name, (path, text) in pages.items() if "multipart/form-data" in text}
    assert {"admin:catalog_product_add", "admin:inventory_stockimport_upload"} < takers.keys()
    # A text of 20,000 letters, as some scripts are sent.
    for path in (*takers.values(), pages["admin:site_page_change"][0]):
        assert (path, post(nginx, path, b"x" * 300_000, Cookie=staff).status) == (path, 403)


def admin_pages(port: int, cookie: str) -> dict[str, tuple[str, str]]:
    """Of each kind of page that staff are led to the first: its address and its text."""
    found, waiting = dict[str, tuple[str, str]](), ["/admin/"]
    for path in waiting:
        name = resolve(urlsplit(path).path).view_name
        if name in found:
            continue
        text = ask(port, path, Cookie=cookie).body.decode(errors="replace")
        found[name] = path, text
        links = re.findall(r'href="((?:/admin/|\?)[^"#]*)"', text)
        waiting += [urljoin(path, unescape(link)) for link in links]
    return found


def test_the_log_has_no_key_of_a_link_in_mail_and_no_place_of_a_waiting_room(
    nginx: int, folder: Path
) -> None:
    for link in ("/account/sign-in/link/", "/orders/AL-7K3M-9QTX/", "/waiting-list/1/", "/"):
        ask(nginx, f"{link}?key=Qm9vVGhpcw", User_Agent="reader")
    ask(nginx, "/live/room/7/?place=Qm9vVGhpcw", User_Agent="reader")
    ask(nginx, "/p/tidal/enter/?ticket=Qm9vVGhpcw", User_Agent="reader")

    def logged() -> str:
        return (folder / "public.log").read_text()

    wait_for(lambda: logged().count('"reader"') == 6)
    assert '"GET /orders/AL-7K3M-9QTX/" 404' in logged()
    assert "Qm9v" not in logged()


def test_the_address_is_the_one_nginx_saw(nginx: int, shop: Shop) -> None:
    """Two shoppers of one address share its limit, whatever address they claim."""
    form = ask(nginx, "/p/tidal/reserve/")
    body = f"{urlencode(hidden(form.text))}&idempotency_key={{}}&quantity=1&warehouse="
    answers = [
        post(
            nginx,
            "/p/tidal/reserve/",
            body.format(claimed).encode(),
            Cookie=cookies(form),
            X_Forwarded_For=claimed,
        ).status
        for claimed in ("1.2.3.4", "5.6.7.8")
    ]
    assert answers == [303, 429]
    assert shop.sql("SELECT DISTINCT address FROM reservations_reservation") == [("127.0.0.1/32",)]
