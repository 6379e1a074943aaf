"""The shop's URLs plus a view that does nothing, and the API's view with other engines. Used only
for benchmarks."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from reservations import services
from reservations.engine.commands import Holder
from reservations.exceptions import Busy
from reservations.models import Reservation
from tests.benchmarks import contenders


@csrf_exempt
def nothing(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"{}", content_type="application/json", status=201)


def stored_function(
    *, rows: tuple[int, ...], quantity: int, holder: Holder, **_: Any
) -> Reservation:
    ttl = settings.RESERVATION_TTL_SECONDS
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT bench_reserve(%s, %s, %s, '', %s, %s)",
            [rows[0], quantity, holder.name, settings.RESERVATION_MAX_LIVE, f"{ttl} s"],
        )
        return _told(cursor.fetchone()[0], rows[0], quantity)


def plain(*, rows: tuple[int, ...], quantity: int, holder: Holder, **_: Any) -> Reservation:
    with transaction.atomic():
        stock = contenders.locked(rows[0])
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [holder.name])
        return contenders._held(stock, holder.name) or contenders._hold(stock, holder.name)


def _told(reservation_id: UUID, row: int, quantity: int) -> Reservation:
    now = timezone.now()
    until = now + timedelta(seconds=settings.RESERVATION_TTL_SECONDS)
    return Reservation(
        id=reservation_id,
        inventory_id=row,
        quantity=quantity,
        unit_paise=385_000,
        name="Tidal",
        created_at=now,
        expires_at=until,
    )


def _politely(reserve: Callable[..., Reservation]) -> Callable[..., Reservation]:
    """A lock that is not free in time is a 503 in every engine."""

    def told(**asked: Any) -> Reservation:
        try:
            return reserve(**asked)
        except OperationalError:
            raise Busy from None

    return told


OTHERS = {"stored function": stored_function, "plain transaction": plain}
if other := OTHERS.get(getattr(settings, "CONTENDER", "")):
    vars(services)["reserve_in"] = _politely(other)

urlpatterns = [path("bench/nothing", nothing), path("", include("allo.urls"))]
