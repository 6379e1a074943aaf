"""Counts what happened to reservations on each of the last days, for the pages of trends.

A day is counted again until its counts are final, and not read after that. So a run reads what
ended today, and in the first hour of a day also yesterday.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from django.db import connection, transaction
from django.utils import timezone

from allo.postgresql import present, timeouts
from reservations.models import CountedDay

# The longest period of a page of trends, and the period before it to compare with.
SPAN = 60

# What was made on a day is pending, or ended on that day or later. Both of these are indexed; the
# time when it was made is not. `edges` are midnights: a moment between the first and the second is
# on the first day.
COUNT = """
    WITH days AS (SELECT %(days)s::date[] AS names, %(edges)s::timestamptz[] AS edges),
    reservation AS (
        SELECT * FROM reservations_reservation
        WHERE status = 'pending' AND created_at >= %(first)s
        UNION ALL
        SELECT * FROM reservations_reservation
        WHERE status IN ('confirmed', 'expired', 'released')
            AND ended_at IS NOT NULL AND ended_at >= %(first)s
    ), counted AS (
        SELECT names[width_bucket(at, edges)] AS day, inventory_id,
            count(*) FILTER (WHERE what = 'held') AS held,
            count(*) FILTER (WHERE what = 'confirmed') AS confirmed,
            count(*) FILTER (WHERE what = 'expired') AS expired,
            count(*) FILTER (WHERE what = 'released') AS released,
            coalesce(sum(quantity) FILTER (WHERE what = 'confirmed'), 0) AS units,
            coalesce(sum(quantity * unit_paise::bigint) FILTER (WHERE what = 'confirmed'), 0)
                AS paise
        FROM days, reservation,
            LATERAL (VALUES (created_at, 'held'), (ended_at, status)) AS event(at, what)
        WHERE at >= %(first)s AND at < %(last)s
        GROUP BY 1, 2
    ), moved AS (
        DELETE FROM reservations_daycount AS old
        USING days WHERE old.day_id = ANY(days.names) AND NOT EXISTS (
            SELECT FROM counted
            WHERE counted.day = old.day_id AND counted.inventory_id = old.inventory_id)
    )
    INSERT INTO reservations_daycount AS old (day_id, inventory_id, held, confirmed, expired,
        released, confirmed_units, confirmed_paise)
    SELECT * FROM counted
    ON CONFLICT (day_id, inventory_id) DO UPDATE SET held = excluded.held,
        confirmed = excluded.confirmed, expired = excluded.expired, released = excluded.released,
        confirmed_units = excluded.confirmed_units, confirmed_paise = excluded.confirmed_paise
    WHERE (old.held, old.confirmed, old.expired, old.released)
        <> (excluded.held, excluded.confirmed, excluded.expired, excluded.released)
"""


def midnight(day: date) -> datetime:
    """The moment at which the shop's day begins."""
    return datetime.combine(day, time(), timezone.get_default_timezone())


@transaction.atomic
def count_days() -> None:
    """Counts the days that are not final. Only one worker counts at a time; others do nothing."""
    # The first run reads the last `SPAN` days. It locks nothing that anybody waits for.
    timeouts.lift()
    now = present.now()
    wanted = {each.day: each for each in _calendar(now)}
    CountedDay.objects.exclude(day__in=wanted).delete()
    CountedDay.objects.bulk_create(wanted.values(), ignore_conflicts=True)
    free = CountedDay.objects.select_for_update(skip_locked=True)
    days = list(free.order_by("day"))
    if len(days) == len(wanted) and (due := _due(days, wanted)):
        _count(due, now)


def _calendar(now: datetime) -> Iterator[CountedDay]:
    today = timezone.localdate(now, timezone.get_default_timezone())
    for ago in reversed(range(SPAN)):
        day = today - timedelta(days=ago)
        begins_at, ends_at = midnight(day), midnight(day + timedelta(days=1))
        yield CountedDay(day=day, begins_at=begins_at, ends_at=ends_at)


def _due(days: list[CountedDay], wanted: dict[date, CountedDay]) -> list[CountedDay]:
    """All days from the first one that is not final, or that was counted in another time zone of
    the shop; with the times that they have in the present one."""
    for n, each in enumerate(days):
        now = wanted[each.day]
        if not each.is_final or (each.begins_at, each.ends_at) != (now.begins_at, now.ends_at):
            return [wanted[later.day] for later in days[n:]]
    return []


def _count(days: list[CountedDay], now: datetime) -> None:
    edges = [day.begins_at for day in days]
    with connection.cursor() as cursor:
        cursor.execute(
            COUNT,
            {
                "days": [day.day for day in days],
                "edges": edges,
                "first": edges[0],
                "last": days[-1].ends_at,
            },
        )
    for day in days:
        day.counted_at = now
    CountedDay.objects.bulk_update(days, ["begins_at", "ends_at", "counted_at"])
