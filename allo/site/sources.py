"""The files of the repository that are pages: the README and `docs/`."""

from dataclasses import dataclass
from pathlib import Path

from django.urls import reverse


@dataclass(frozen=True, slots=True)
class Source:
    """A file of the repository that is a page; `name` is its name in the navigation."""

    path: str
    name: str
    description: str

    @property
    def slug(self) -> str:
        return "" if self.path == README else Path(self.path).stem

    @property
    def url(self) -> str:
        return reverse("docs_page", args=[self.slug]) if self.slug else reverse("docs")


README = "README.md"
# In the order of the navigation.
SOURCES = (
    Source(README, "Start", "What Allo is, how to start it, and where to look first."),
    Source(
        "docs/how-it-works.md",
        "How it works",
        "What is always true in Allo, and how locks, expiry, combining and live updates work.",
    ),
    Source(
        "docs/payments.md",
        "Payments",
        "How Allo takes payments, settles them, and gives money back that bought nothing.",
    ),
    Source(
        "docs/running-it.md",
        "Running it",
        "Allo in production: processes, PostgreSQL, poolers, health, logs, nginx.",
    ),
    Source(
        "docs/backups.md",
        "Backups",
        "Backing up and restoring a shop of Allo, and upgrading its PostgreSQL.",
    ),
    Source(
        "docs/monitoring.md",
        "Monitoring",
        "Metrics of Allo for Prometheus, alerts and what to do, ids of requests, reported errors.",
    ),
    Source(
        "docs/server.md",
        "A server",
        "From a bare Debian to a shop with HTTPS: PostgreSQL, Redis, nginx and systemd.",
    ),
    Source(
        "docs/more-machines.md",
        "More machines",
        "Allo on more than one machine: standby, Patroni, pgbouncer, object storage, sentinels.",
    ),
    Source("docs/settings.md", "Settings", "Every setting of Allo, its default, its meaning."),
    Source(
        "docs/privacy.md",
        "Privacy",
        "What Allo keeps about people, why, and for how long.",
    ),
    Source(
        "docs/staff.md",
        "Staff",
        "Allo's admin: roles, reservations, products, stock, imports, the ledger.",
    ),
    Source(
        "docs/api.md",
        "API",
        "The callers of Allo's JSON API, and its tokens, keys, lists, caching and refusals.",
    ),
    Source(
        "docs/webhooks.md",
        "Webhooks",
        "What other systems hear of Allo's events: signatures, order, tries, the catalogue.",
    ),
)


def source_of(slug: str) -> Source | None:
    return next((source for source in SOURCES if source.slug == slug), None)
