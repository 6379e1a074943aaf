"""How much an audit looks at, and its record.

Comparing each sale ever made with its movement takes longer each year, so the clock's audits leave
out what the last one found in order. Once in a while one looks at everything, to find faults in old
rows.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from allo.postgresql.auditing import Finding
from reservations.models import AuditRun

# Something that happened before the last audit may have been committed after the audit looked, so
# the next one begins earlier. No transaction of the shop lasts as long as this.
OVERLAP = timedelta(hours=1)
# The clock starts an audit at the same time each night, give or take some seconds.
PUNCTUAL = timedelta(hours=1)


def keep(
    books: AuditRun.Books, audited: Callable[[datetime | None], list[Finding]], *, whole: bool
) -> AuditRun:
    """Audits everything, or only what happened since the last audit if that is enough."""
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
    """None for everything: that is due again, or the last audit found something. What it found may
    be old, and must not be forgotten because the next audit does not look there."""
    runs = AuditRun.objects.filter(books=books).order_by("-pk")
    last, last_whole = runs.first(), runs.filter(since=None).first()
    if last is None or last.findings or last_whole is None:
        return None
    due = last_whole.started_at + timedelta(days=settings.AUDIT_WHOLE_DAYS) - PUNCTUAL
    return last.started_at - OVERLAP if now < due else None
