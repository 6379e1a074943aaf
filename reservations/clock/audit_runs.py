"""What an audit looks at, and its record.

To compare each sale there ever was with its movement takes longer each year, so the clock's audits
leave out what the last one found in order. Once in a while one looks at everything: a fault in old
rows is found then.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from allo.postgresql.auditing import Finding
from reservations.models import AuditRun

# What happened before the last audit began may have been committed after it had looked, so the next
# one goes back further. No transaction of the shop lasts as long.
OVERLAP = timedelta(hours=1)
# The clock comes at the same time each night, but for seconds.
PUNCTUAL = timedelta(hours=1)


def keep(
    books: AuditRun.Books, audited: Callable[[datetime | None], list[Finding]], *, whole: bool
) -> AuditRun:
    """Audits everything, or what happened since the last audit as far as that suffices."""
    started_at = timezone.now()
    since = None if whole else _since(books, started_at)
    findings = [str(finding) for finding in audited(since)]
    return AuditRun.objects.create(
        books=books,
        started_at=started_at,
        finished_at=timezone.now(),
        since=since,
        findings=findings,
    )


def _since(books: AuditRun.Books, now: datetime) -> datetime | None:
    """None for everything: it is due again, or the last audit found something. What it found may be
    old, and must not be forgotten because the next one does not look there."""
    runs = AuditRun.objects.filter(books=books).order_by("-pk")
    last, last_whole = runs.first(), runs.filter(since=None).first()
    if last is None or last.findings or last_whole is None:
        return None
    due = last_whole.started_at + timedelta(days=settings.AUDIT_WHOLE_DAYS) - PUNCTUAL
    return last.started_at - OVERLAP if now < due else None
