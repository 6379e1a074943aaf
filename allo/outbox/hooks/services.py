"""What staff do with webhooks. Each is one transaction."""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from allo.outbox.hooks import fanning, signing
from allo.outbox.hooks.addresses import checked
from allo.outbox.hooks.catalogue import TEST, UNREAD
from allo.outbox.models import Delivery, Event, Told, Webhook


def create(*, name: str, url: str, kinds: list[str], by: User, key: int | None = None) -> Webhook:
    """With a secret of its own, under this primary key or a new one. Raises `BadUrl`."""
    return Webhook.objects.create(
        pk=key, name=name, url=checked(url), kinds=kinds, secret=signing.new_secret(),
        created_by=by,
    )  # fmt: skip


def rotate(webhook: Webhook) -> str:
    """The new secret. The one before signs as well, for `OVERLAP`. "" if it was changed since this
    webhook was read: a second change would end the secret that the receiver still has."""
    secret = signing.new_secret()
    kept = Webhook.objects.kept().filter(pk=webhook.pk, rotated_at=webhook.rotated_at)
    done = kept.update(secret_before=F("secret"), secret=secret, rotated_at=Now())
    return secret if done else ""


def pause(webhook: Webhook) -> bool:
    """Its events are still written, and wait. False if it is not live."""
    live = Webhook.objects.live().filter(pk=webhook.pk)
    return bool(live.update(paused_at=Now(), paused_why="Staff paused it"))


def resume(webhook: Webhook) -> bool:
    """Goes on from the first event that waits. What was refused has all its tries again. False if
    it is not paused."""
    paused = Webhook.objects.kept().filter(pk=webhook.pk, paused_at__isnull=False)
    with transaction.atomic():
        refused = Delivery.objects.waiting().filter(webhook__in=paused, tries__gt=0)
        refused.update(tries=0, next_try_at=Now())
        done = paused.update(
            paused_at=None, paused_why="", failures=0, failing_since=None, next_try_at=Now()
        )
    return bool(done)


def end(webhook: Webhook) -> bool:
    """Ends it for good; what waits is given up, and its secrets are deleted. False if it has
    ended."""
    with transaction.atomic():
        # It could write more for this webhook after this transaction has looked.
        fanning.wait_for_it()
        ended = Webhook.objects.kept().filter(pk=webhook.pk)
        done = ended.update(ended_at=Now(), secret="", secret_before="")
        Delivery.objects.waiting().filter(webhook=webhook).update(given_up_at=Now())
    return bool(done)


def test(webhook: Webhook) -> Delivery:
    """Sends it an event that means nothing."""
    with transaction.atomic():
        event = Event.objects.create(
            kind=TEST,
            subject=f"webhook:{webhook.pk}",
            at=timezone.now(),
            data={"webhook": webhook.name},
        )
        return Delivery.objects.create(event=event, webhook=webhook, subject=event.subject)


@transaction.atomic
def read_again(event: Event) -> None:
    """Tells once more what could not be read, as a newer version may read it. Its events come after
    what happened since."""
    told = event.data
    deleted, _ = Event.objects.filter(pk=event.pk, kind=UNREAD).delete()
    if deleted:
        Told.objects.create(told_by=told["told_by"], events=told["events"], created_at=event.at)


def send_again(delivery: Delivery) -> Delivery:
    """Sends the same event once more, by itself: other events do not wait for it."""
    subject = f"again:{delivery.pk}"
    return Delivery.objects.create(
        event_id=delivery.event_id, webhook_id=delivery.webhook_id, subject=subject
    )
