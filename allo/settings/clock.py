"""Celery, and the clock's schedule."""

from typing import Any

from celery.schedules import crontab

from allo.redis_client import Sentinels
from allo.settings.live import REDIS_URL
from allo.settings.rules import EXPIRY_SWEEP_SECONDS


def broker_url(url: str) -> str:
    """REDIS_URL as Celery reads it: a URL for each sentinel."""
    if not (sentinels := Sentinels.of(url)):
        return url.replace("unix://", "redis+socket://", 1)
    account, at, _ = url.removeprefix("sentinel://").rpartition("@")
    database = sentinels.connection["db"]
    return ";".join(f"sentinel://{account}{at}{h}:{p}/{database}" for h, p in sentinels.hosts)


def broker_options(url: str) -> dict[str, Any]:
    options: dict[str, Any] = {
        "socket_timeout": 5,
        "socket_connect_timeout": 5,
        "health_check_interval": 10,
        "retry_on_timeout": True,
    }
    if sentinels := Sentinels.of(url):
        options["master_name"] = sentinels.service
        options["sentinel_kwargs"] = {"password": sentinels.password, "socket_timeout": 1}
    return options


CELERY_BROKER_URL = broker_url(REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = broker_options(REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "expire-due": {
        "task": "reservations.clock.tasks.expire_due",
        "schedule": EXPIRY_SWEEP_SECONDS,
        # A queued sweep is useless once the next one is queued.
        "options": {"expires": max(EXPIRY_SWEEP_SECONDS - 1, 1)},
    },
    # What is open is kept by the web processes too, each second.
    "keep-rooms": {
        "task": "reservations.clock.tasks.keep_rooms",
        "schedule": 5,
        "options": {"expires": 4},
    },
    # What the provider's messages and the shoppers' return pages did not settle.
    "settle-payments": {
        "task": "checkout.tasks.settle_due",
        "schedule": 5,
        "options": {"expires": 4},
    },
    "watch-low-stock": {
        "task": "inventory.tasks.watch_low_stock",
        "schedule": 60,
        "options": {"expires": 59},
    },
    # A new message queues this at once; the schedule is for those that wait for their next try, and
    # for those whose worker was not running, or died.
    "send-messages": {
        "task": "allo.outbox.tasks.send_due",
        "schedule": 5,
        "options": {"expires": 4},
    },
    "count-days": {
        "task": "reservations.clock.tasks.count_days",
        "schedule": 60,
        "options": {"expires": 59},
    },
    "deliver-events": {
        "task": "allo.outbox.tasks.deliver_events",
        "schedule": 2,
        "options": {"expires": 1.5},
    },
    "prune-messages": {"task": "allo.outbox.tasks.prune", "schedule": crontab(minute=57)},
    "prune-codes": {"task": "allo.codes.tasks.prune", "schedule": crontab(minute=17)},
    # An upload queues this at once; the schedule is for files whose worker was not running, or
    # died.
    "read-imports": {
        "task": "inventory.tasks.read_imports",
        "schedule": 30,
        "options": {"expires": 29},
    },
    "prune-imports": {"task": "inventory.tasks.prune_imports", "schedule": crontab(minute=27)},
    # A new picture queues this at once; the schedule is for the seed's, and for failed runs.
    "picture-sizes": {
        "task": "catalog.tasks.make_sizes",
        "schedule": 30,
        "options": {"expires": 29},
    },
    "replaced-pictures": {
        "task": "catalog.tasks.remove_replaced_pictures",
        "schedule": crontab(minute=37),
    },
    "prune": {"task": "reservations.clock.tasks.prune", "schedule": crontab(minute=7)},
    "prune-sessions": {"task": "allo.tasks.prune", "schedule": crontab(minute=47)},
    "audit-stock": {
        "task": "reservations.clock.tasks.audit_stock",
        "schedule": crontab(minute=17, hour=3),
    },
    "audit-money": {
        "task": "checkout.tasks.audit_money",
        "schedule": crontab(minute=37, hour=3),
    },
}
