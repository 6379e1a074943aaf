"""What follows from the end of an offer."""

from django.db import transaction

from allo.outbox import services as outbox
from reservations.models import WaitingEntry
from reservations.waiting import mail

State = WaitingEntry.State
# Their people did not end these, and may not know.
TOLD = (State.LAPSED, State.TAKEN_BACK)
AT_ONCE = 500


@transaction.atomic
def follow_up() -> None:
    """Writes once to each whose offer lapsed or was taken back. The sweep calls it: an offer ends
    in several ways, and none of them has to know of lists."""
    ended = WaitingEntry.objects.filter(
        offer__isnull=False, offer__ended_at__isnull=False, followed_up=False
    ).select_related("offer")
    # What another sweep follows up now is left to it.
    entries = list(ended.select_for_update(of=("self",), skip_locked=True)[:AT_ONCE])
    if not entries:
        return
    told = mail.offers_sent(entry for entry in entries if entry.state in TOLD)
    outbox.put_all(map(mail.ended_letter, told))
    keys = [entry.pk for entry in entries]
    WaitingEntry.objects.filter(pk__in=keys).update(followed_up=True)
