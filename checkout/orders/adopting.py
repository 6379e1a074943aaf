"""Gives orders to the account of those who made them."""

from django.db import transaction

from checkout.models import Order


@transaction.atomic
def take(account_id: int, *holders: str) -> int:
    """Orders of these holders without an account become this account's; they keep their holder.
    Returns how many."""
    mine = Order.objects.filter(holder__in=holders, account=None)
    # Another sign-in in this browser may take them first, so the condition is checked again under
    # the lock.
    locked = mine.locking().values_list("pk", flat=True)
    return mine.filter(pk__in=list(locked)).update(account=account_id)
