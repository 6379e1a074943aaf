"""What follows from the end of an offer."""

from django.db import transaction

from allo.outbox import services as outbox
from reservations.models import WaitingEntry
from reservations.waiting import mail

State = WaitingEntry.State
# Ended by somebody else than the person, who gets a mail.
TOLD = (State.LAPSED, State.TAKEN_BACK)
AT_ONCE = 500


@transaction.atomic
def follow_up() -> None:
    """Writes one mail to each person whose offer lapsed or was taken back. The sweep calls it, so
    that the code that ends reservations need not know of waiting lists."""
    ended = WaitingEntry.objects.filter(
        offer__isnull=False, offer__ended_at__isnull=False, followed_up=False
    ).select_related("offer")
    # Skips those that another sweep is following up.
    entries = list(ended.select_for_update(of=("self",), skip_locked=True)[:AT_ONCE])
    if not entries:
        return
    told = mail.offers_sent(entry for entry in entries if entry.state in TOLD)
    outbox.put_all(map(mail.ended_letter, told))
    keys = [entry.pk for entry in entries]
    WaitingEntry.objects.filter(pk__in=keys).update(followed_up=True)
