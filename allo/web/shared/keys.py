"""Which requests share an answer, and under which key.

The key holds everything that the answer may depend on: the rendering gets a request that is made
from the key alone (`environ_of`), so nothing personal can reach a shared answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.urls import Resolver404, resolve

Environ = dict[str, Any]
Query = list[tuple[str, str]]

# Set for two seconds after each writing request; and for as long as the visitor holds anything.
ACTED, HOLDS = "allo_acted", "allo_holds"
# Set in the environ of a shared rendering.
SHARED = "allo.shared"
SHARED_METHODS = ("GET", "HEAD")
# No address of the shop: what is rendered for it is shown at every address that does not exist.
NOWHERE = "/404"
LONGEST_QUERY = 2000


@dataclass(frozen=True, slots=True)
class Sharing:
    """How the answers of a view are shared.

    `query` has the parameters that matter, each with its default; others are ignored, or kept if
    `strict`, for a view that refuses unknown ones. Of one that comes twice the last counts, as for
    Django, but of `several` every value. `targets` are the parts that htmx may request by
    HX-Target. With `anyone`, cookies do not matter; with `parts_only` every answer is personal, and
    only the parts between its holes are shared. `is_rare` says whether few people request this
    query; such answers are kept apart.
    """

    query: Mapping[str, str] = field(default_factory=dict)
    several: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    strict: bool = False
    anyone: bool = False
    parts_only: bool = False
    is_rare: Callable[[Query], bool] = lambda _: False


class Key(NamedTuple):
    scheme: str
    host: str
    path: str
    query: str
    part: str | None  # None for the whole page, else htmx's target, or ""


class Shareable(NamedTuple):
    key: Key
    sharing: Sharing
    rare: bool


def shareable(environ: Environ) -> Shareable | None:
    """None for a request whose answer is not shared."""
    if environ["REQUEST_METHOD"] not in SHARED_METHODS or "HTTP_AUTHORIZATION" in environ:
        return None
    found = shareable_of_anyone(environ)
    if found is None or found.sharing.parts_only:
        return None
    return found if found.sharing.anyone or not is_personal(environ) else None


def shareable_of_anyone(environ: Environ) -> Shareable | None:
    """The same without a look at who sent the request."""
    return _shareable(
        _scheme(environ),
        environ.get("HTTP_HOST", ""),
        environ["PATH_INFO"],
        environ.get("QUERY_STRING", ""),
        _part(environ),
    )


def nowhere(environ: Environ) -> Shareable:
    """The page that says that an address does not exist, for a request with a valid host."""
    key = Key(_scheme(environ), environ.get("HTTP_HOST", "").lower(), NOWHERE, "", None)
    return Shareable(key, Sharing(), rare=False)


def is_personal(environ: Environ) -> bool:
    """Other cookies than these do not change a shared page."""
    cookies = environ.get("HTTP_COOKIE", "")
    return any(f"{name}=" in cookies for name in (settings.SESSION_COOKIE_NAME, HOLDS, ACTED))


def environ_of(key: Key) -> Environ:
    """The request that the shared answer is made for."""
    host, port = split_domain_port(key.host)
    secure = key.scheme == "https"
    environ: Environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": key.path,
        "QUERY_STRING": key.query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": host,
        "SERVER_PORT": port or ("443" if secure else "80"),
        "HTTP_HOST": key.host,
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": key.scheme,
        "wsgi.input": BytesIO(),
        SHARED: True,
    }
    if settings.SECURE_PROXY_SSL_HEADER:
        environ["HTTP_X_FORWARDED_PROTO"] = key.scheme
    if key.part is not None:
        environ |= {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": key.part}
    return environ


def _scheme(environ: Environ) -> str:
    if not settings.SECURE_PROXY_SSL_HEADER:
        return str(environ["wsgi.url_scheme"])
    forwarded = environ.get("HTTP_X_FORWARDED_PROTO", "").partition(",")[0].strip()
    return "https" if forwarded == "https" else "http"


def _part(environ: Environ) -> str | None:
    """The part that htmx will swap in; None for pages that it boosts or restores from history."""
    whole = "HTTP_HX_BOOSTED" in environ or "HTTP_HX_HISTORY_RESTORE_REQUEST" in environ
    if whole or environ.get("HTTP_HX_REQUEST") != "true":
        return None
    return str(environ.get("HTTP_HX_TARGET", ""))


@lru_cache(maxsize=4096)
def _shareable(scheme: str, host: str, path: str, query: str, part: str | None) -> Shareable | None:
    sharing = _sharing_of(path) if path.isascii() else None
    # Django itself refuses a foreign host, and logs it.
    domain, _ = split_domain_port(host)
    if sharing is None or not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return None
    asked = _asked(query, sharing)
    if asked is None:
        return None
    if part is not None and part not in sharing.targets:
        part = ""
    key = Key(scheme, host.lower(), path, urlencode(asked), part)
    return Shareable(key, sharing, sharing.is_rare(asked))


def _asked(query: str, sharing: Sharing) -> Query | None:
    """The query in one order, each value once, without defaults and what is ignored; None if it
    cannot be read."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        return None
    if len(query) > LONGEST_QUERY or any("\0" in name + value for name, value in pairs):
        return None
    if sharing.strict:
        return sorted(pairs)
    several = {(name, value) for name, value in pairs if name in sharing.several}
    others = ((name, value) for name, value in dict(pairs).items() if name not in sharing.several)
    known = ((name, value) for name, value in (*several, *others) if name in sharing.query)
    return sorted((name, value) for name, value in known if value not in ("", sharing.query[name]))


def _sharing_of(path: str) -> Sharing | None:
    try:
        view = resolve(path).func
    except Resolver404:
        return None
    return getattr(view, "sharing", None)
