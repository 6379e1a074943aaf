"""`/metrics`: what the processes of this machine counted, and how the shop is now.

Each read sends the database one statement (`allo.site.tables`), whatever the shop holds.
"""

import hmac
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address

from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from redis import RedisError

from allo.live.rooms import store
from allo.metrics.collecting import Counted
from allo.redis_client import redis_client
from allo.site.tables import TABLES, statement
from reservations.room_keeping import OPEN

MOST_ROOMS = 50
# A request that any proxy passed on.
PASSED_ON = (
    "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_REAL_IP", "HTTP_FORWARDED",
    "HTTP_VIA",
)  # fmt: skip
REFUSED = (
    "Metrics are for programs on this machine that connect to this port directly, and for those"
    " that send METRICS_TOKEN as a bearer token.\n"
)

Values = dict[tuple[str, ...], float]


@require_safe
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    if not may_read(request):
        response = HttpResponse(REFUSED, content_type="text/plain", status=401)
        response.headers["WWW-Authenticate"] = 'Bearer realm="metrics"'
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Counted())
    registry.register(Now())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def may_read(request: HttpRequest) -> bool:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if settings.METRICS_TOKEN and kind.lower() == "bearer":
        return hmac.compare_digest(token.encode(), settings.METRICS_TOKEN.encode())
    return _is_loopback(request.META.get("REMOTE_ADDR", "")) and not any(
        name in request.META for name in PASSED_ON
    )


def _is_loopback(peer: str) -> bool:
    try:
        return ip_address(peer).is_loopback
    except ValueError:
        return False


class Now:
    """A collector of the shop's state. Without database or Redis, their part is missing."""

    def collect(self) -> Iterator[Metric]:
        yield from _of("allo_database_up", "Whether the database answers.", _tables, Error)
        yield from _of("allo_redis_up", "Whether Redis answers.", _rooms, RedisError)


def _of(
    name: str, says: str, read: Callable[[], Iterable[Metric]], failure: type[Exception]
) -> list[Metric]:
    try:
        return [_gauge(name, says, 1), *read()]
    except failure:
        return [_gauge(name, says, 0)]


def _tables() -> list[Metric]:
    names, text, values = statement()
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        found = dict(zip(names, cursor.fetchone(), strict=True))
    return [
        family
        for name, (says, label) in TABLES.items()
        if (family := _gauge(name, says, _values(found, name), label)).samples
    ]


def _values(found: dict[tuple[str, str], float | None], wanted: str) -> Values:
    """What was never there, such as an audit, is left out."""
    return {
        (value,) if value else (): number
        for (name, value), number in found.items()
        if name == wanted and number is not None
    }


def _rooms() -> list[Metric]:
    redis_client().ping()
    opened = sorted(int(room) for room in redis_client().smembers(OPEN))[:MOST_ROOMS]
    numbers = [found for room in opened if (found := store.run(store.numbers(room)))]
    waiting = sum(found.waiting for found in numbers)
    return [
        _gauge("allo_rooms", "Waiting rooms that are open.", len(numbers)),
        _gauge("allo_room_visitors", "Visitors who wait in them.", waiting),
    ]


def _gauge(name: str, says: str, value: float | Values, label: str = "") -> Metric:
    family = GaugeMetricFamily(name, says, labels=[label] if label else [])
    for labels, number in (value if isinstance(value, dict) else {(): value}).items():
        family.add_metric(labels, number)
    return family
