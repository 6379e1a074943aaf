"""Posts what is due to the webhooks, outside of any transaction.

A webhook is leased to one worker at a time, which posts one event after the other. Those of one
subject keep their order; an event that a receiver refuses holds up no other subject.
"""

import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from threading import Lock
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now

from allo.metrics import counters
from allo.outbox.hooks import catalogue, fanning, notices, posting, signing
from allo.outbox.hooks.addresses import BadUrl
from allo.outbox.hooks.posting import Answer, Unreachable
from allo.outbox.models import TRIES, Delivery, Webhook, WebhookQuerySet, pause_after
from allo.outbox.models.webhook import GIVE_UP_AFTER, LONGEST_ANSWER

logger = logging.getLogger(__name__)

# A slow receiver keeps one of these threads for `TURN` and one try, and no other receiver waits.
THREADS = 4
# How long a webhook is served before another has its turn, in seconds.
TURN = 10.0
GONE = 410
# So many failures in a row are the receiver's, and not those of one event.
OUTAGE = 3
_running = Lock()


def deliver_due() -> int:
    """Fans out what was told, and delivers to each webhook that has something due, until none has
    or its turn is over; returns how many were delivered. In a process where it runs already,
    nothing."""
    if not _running.acquire(blocking=False):
        return 0
    try:
        fanning.fan_out()
        threads = min(Webhook.objects.due().count(), THREADS)
        if threads < 2:
            return _serve()
        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(lambda _: _serve_in_thread(), range(threads)))
    finally:
        _running.release()


def _serve_in_thread() -> int:
    try:
        return _serve()
    finally:
        connection.close()


def _serve() -> int:
    """Webhook after webhook."""
    delivered, ends = 0, time.monotonic() + TURN
    while time.monotonic() < ends and (webhook := _next()):
        delivered += _turn(webhook, ends)
    return delivered


def _next() -> Webhook | None:
    """What was told meanwhile need not wait for the next run."""
    return _lease() or (_lease() if fanning.fan_out() else None)


@transaction.atomic
def _lease() -> Webhook | None:
    # Committed before anything is posted, so that only one of two workers serves it; each takes one
    # that no other has locked.
    webhook = Webhook.objects.due().select_for_update(skip_locked=True, of=("self",)).first()
    if webhook:
        Webhook.objects.filter(pk=webhook.pk).update(claimed_at=Now())
        webhook.refresh_from_db()
    return webhook


def _turn(webhook: Webhook, ends: float) -> int:
    delivered = 0
    while delivery := Delivery.objects.next_of(webhook):
        if not _try(webhook, delivery):
            return delivered
        delivered += 1
        if time.monotonic() > ends or not _lease_goes_on(webhook):
            break
    # The others first, if there is more.
    _mine(webhook).update(claimed_at=None, next_try_at=Now())
    return delivered


def _lease_goes_on(webhook: Webhook) -> bool:
    """Unless it ran out and another worker has it, or staff paused, changed or ended it."""
    if not _mine(webhook).update(claimed_at=Now()):
        return False
    webhook.refresh_from_db()
    return webhook.state in ("live", "failing")


def _mine(webhook: Webhook) -> WebhookQuerySet:
    return Webhook.objects.kept().filter(pk=webhook.pk, claimed_at=webhook.claimed_at)


class Tried(NamedTuple):
    """What became of one try, as it is kept with the delivery."""

    status: int | None
    answer: str
    error: str
    took_ms: int

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def _try(webhook: Webhook, delivery: Delivery) -> bool:
    outcome = _outcome(webhook, delivery)
    counters.DELIVERIES.labels("delivered" if outcome.is_delivered else "failed").inc()
    (_delivered if outcome.is_delivered else _failed)(webhook, delivery, outcome)
    return outcome.is_delivered


def _outcome(webhook: Webhook, delivery: Delivery) -> Tried:
    began, answer, error = time.monotonic(), Answer(None, ""), ""
    try:
        answer = _post(webhook, delivery)
    except (Unreachable, BadUrl) as failure:
        error = str(failure)[:100]
    except Exception as failure:
        # For instance a secret that cannot sign: the other webhooks go on.
        logger.exception("event %s cannot be posted", delivery.event.uid)
        error = f"The shop could not post it: {type(failure).__name__}"
    took_ms = int((time.monotonic() - began) * 1000)
    return Tried(answer.status, answer.text[:LONGEST_ANSWER], error, took_ms)


def _post(webhook: Webhook, delivery: Delivery) -> Answer:
    event = delivery.event
    at = event.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    body = json.dumps(catalogue.body(event.kind, at, event.data), separators=(",", ":"))
    headers = signing.headers(webhook, event.uid, body)
    return posting.post(webhook.url, body.encode(), headers, settings.WEBHOOK_TIMEOUT_SECONDS)


@transaction.atomic
def _delivered(webhook: Webhook, delivery: Delivery, outcome: Tried) -> None:
    """Whoever has the lease by now: it was delivered."""
    waiting = Delivery.objects.filter(pk=delivery.pk, delivered_at=None)
    waiting.update(
        delivered_at=Now(),
        given_up_at=None,
        tried_at=Now(),
        tries=F("tries") + 1,
        **outcome._asdict(),
    )
    if webhook.failures >= OUTAGE:
        # What was refused meanwhile need not wait any longer.
        mine = Delivery.objects.waiting().filter(webhook=webhook, tries__gt=0)
        mine.update(next_try_at=Now())
    if webhook.failures:
        _begin_anew(webhook)


def _begin_anew(webhook: Webhook) -> None:
    Webhook.objects.kept().filter(pk=webhook.pk).update(failures=0, failing_since=None)


@transaction.atomic
def _failed(webhook: Webhook, delivery: Delivery, outcome: Tried) -> None:
    """The webhook rests, ever longer while nothing succeeds. An event that was refused waits for
    itself as well, so that others have their turn before it."""
    logger.warning("event %s was not delivered to webhook %d", delivery.event.uid, webhook.pk)
    # A refusal after tries that nobody answered is the event's first.
    begins = outcome.status is not None and delivery.status is None
    tries = 1 if begins else delivery.tries + 1
    put_off: dict[str, Any] = {}
    if outcome.status is not None:
        put_off["next_try_at"] = Now() + pause_after(tries)
        put_off["given_up_at"] = Now() if tries >= TRIES else None
    waiting = Delivery.objects.waiting().filter(pk=delivery.pk)
    waiting.update(tried_at=Now(), tries=tries, **outcome._asdict(), **put_off)
    rest = pause_after(min(webhook.failures + 1, TRIES))
    _mine(webhook).update(
        claimed_at=None,
        next_try_at=Now() + rest,
        failures=F("failures") + 1,
        failing_since=Coalesce("failing_since", Now()),
    )
    _pause_if_hopeless(webhook, gone=outcome.status == GONE)
    others = Delivery.objects.waiting().filter(webhook=webhook)
    if put_off.get("given_up_at") and not others.exists():
        # That event was refused, and none is left that could show whether others are: days later,
        # the first failure of another one would count as the last of all that time.
        _begin_anew(webhook)


def _pause_if_hopeless(webhook: Webhook, *, gone: bool) -> None:
    """For a day nothing succeeded, or the receiver says that it is not there any more."""
    live = Webhook.objects.live().filter(pk=webhook.pk)
    hopeless = live if gone else live.filter(failing_since__lt=Now() - GIVE_UP_AFTER)
    why = "It answered that it is gone (410)" if gone else "Nothing was delivered for a day"
    if hopeless.update(paused_at=Now(), paused_why=why):
        notices.paused(webhook, why)
