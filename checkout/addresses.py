"""The addresses that accounts have saved: offered where one buys, and kept only if one says so."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.forms.models import model_to_dict
from django.http import HttpRequest

from checkout.models import Address
from checkout.models.address import SAVED

MOST = 10


class TooMany(Exception):
    """The account has `MOST` addresses."""


def of(request: HttpRequest) -> QuerySet[Address]:
    """The shopper's own, the last used first."""
    mine = account_of(request)
    return Address.objects.filter(account=mine) if mine else Address.objects.none()


def account_of(request: HttpRequest) -> int:
    """0 for all who are not signed in. Staff can save none: they are no account of the shop."""
    user = request.user
    return user.pk if user.is_authenticated and not user.is_staff else 0


def values_of(address: Address) -> dict[str, str]:
    """By the names of the form's fields."""
    return model_to_dict(address, fields=SAVED)


@transaction.atomic
def save(account_id: int, typed: Mapping[str, Any]) -> Address:
    """Saves the address, or marks the one that is the same as used. Raises `TooMany`."""
    values = {field: typed[field] for field in SAVED}
    mine = Address.objects.filter(account=account_id)
    # Of two forms at once each sees what the other saved.
    User.objects.select_for_update(no_key=True).get(pk=account_id)
    if same := mine.filter(**values).first():
        mine.filter(pk=same.pk).update(used_at=Now())
        return same
    if mine.count() >= MOST:
        raise TooMany
    return Address.objects.create(account_id=account_id, **values)


@transaction.atomic
def change(address: Address, typed: Mapping[str, Any]) -> None:
    """Replaces what the address says. One that is the same as another of the account is that."""
    values = {field: typed[field] for field in SAVED}
    mine = Address.objects.filter(account=address.account_id)
    User.objects.select_for_update(no_key=True).get(pk=address.account_id)
    if mine.filter(**values).exclude(pk=address.pk).exists():
        mine.filter(pk=address.pk).delete()
    else:
        mine.filter(pk=address.pk).update(**values)
