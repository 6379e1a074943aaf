"""`/metrics`: what the processes of this machine counted, and how the shop is now.

Each read asks the database a fixed number of questions, whatever the shop holds; what could be many
is counted up to a limit.
"""

import hmac
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from ipaddress import ip_address

from django.conf import settings
from django.db import Error
from django.db.models import F, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from redis import RedisError

from allo.live.rooms import store
from allo.metrics.collecting import Counted
from allo.outbox.models import Message
from allo.redis_client import redis_client
from checkout.unsettled import unsettled
from inventory.models import Inventory
from reservations.models import AuditRun, Reservation, Sweep, WaitingEntry
from reservations.room_keeping import OPEN

MOST_OVERDUE, MOST_PLACES = 1000, 10_000
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
    return [*_stock(), *_clock(), *_people(), *_money()]


def _stock() -> Iterator[Metric]:
    units = Inventory.objects.aggregate(
        held=Sum("reserved_units", default=0),
        available=Sum(F("total_units") - F("reserved_units"), default=0),
    )
    by_state: Values = {(state,): number for state, number in units.items()}
    yield _gauge("allo_units", "Units in all warehouses.", by_state, "state")
    due = Reservation.objects.due().order_by("expires_at").values_list("expires_at", flat=True)
    overdue = list(due[:MOST_OVERDUE])
    yield _gauge("allo_overdue_holds", "Holds that are past their time.", len(overdue))
    oldest = _age(overdue[0]) if overdue else 0
    yield _gauge("allo_overdue_seconds", "How late the oldest of them is.", oldest)


def _clock() -> Iterator[Metric]:
    if sweep := Sweep.objects.order_by("-finished_at").first():
        ago = _age(sweep.finished_at)
        yield _gauge("allo_sweep_age_seconds", "Since the last sweep.", ago)
        late = sweep.max_lateness_seconds
        yield _gauge("allo_sweep_lateness_seconds", "Its latest expiry.", late)
    runs = [run for books in AuditRun.Books if (run := _last_of(books))]
    ages: Values = {(run.books,): _age(run.finished_at) for run in runs}
    findings: Values = {(run.books,): len(run.findings) for run in runs}
    yield _gauge("allo_audit_age_seconds", "Since the last audit.", ages, "books")
    yield _gauge("allo_audit_findings", "What the last audit found.", findings, "books")


def _last_of(books: str) -> AuditRun | None:
    return AuditRun.objects.filter(books=books).order_by("-pk").first()


def _people() -> Iterator[Metric]:
    on_lists = WaitingEntry.objects.open().order_by()[:MOST_PLACES].count()
    yield _gauge("allo_waiting_entries", "Places on waiting lists.", on_lists)
    late = Message.objects.late().first()
    age = _age(late.created_at) if late else 0
    yield _gauge("allo_mail_late_seconds", "Age of the oldest late mail.", age)


def _money() -> Iterator[Metric]:
    found = unsettled()
    by_kind: Values = {
        ("charges",): found.charges,
        ("refunds",): found.asked,
        ("failed_refunds",): found.failed,
        ("disputed",): found.disputed,
        ("wrong",): found.wrong,
    }
    yield _gauge("allo_money_unsettled", "Money that people have to look at.", by_kind, "what")


def _rooms() -> list[Metric]:
    redis_client().ping()
    opened = sorted(int(room) for room in redis_client().smembers(OPEN))[:MOST_ROOMS]
    numbers = [found for room in opened if (found := store.run(store.numbers(room)))]
    waiting = sum(found.waiting for found in numbers)
    return [
        _gauge("allo_rooms", "Waiting rooms that are open.", len(numbers)),
        _gauge("allo_room_visitors", "Visitors who wait in them.", waiting),
    ]


def _age(moment: datetime) -> float:
    return max(0.0, (timezone.now() - moment).total_seconds())


def _gauge(name: str, says: str, value: float | Values, label: str = "") -> Metric:
    family = GaugeMetricFamily(name, says, labels=[label] if label else [])
    values = value if isinstance(value, dict) else {(): value}
    for labels, number in values.items():
        family.add_metric(labels, number)
    return family
