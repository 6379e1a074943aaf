"""The addresses that accounts have saved. They are offered at the next purchase, and kept only if
the shopper asks for that."""

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
    """The account has `MOST` addresses already."""


def of(request: HttpRequest) -> QuerySet[Address]:
    """The shopper's own addresses, the last used first."""
    mine = account_of(request)
    return Address.objects.filter(account=mine) if mine else Address.objects.none()


def account_of(request: HttpRequest) -> int:
    """0 without a signed-in account. Staff have no account of the shop, so they can save no
    address."""
    user = request.user
    return user.pk if user.is_authenticated and not user.is_staff else 0


def values_of(address: Address) -> dict[str, str]:
    """Its values, by the names of the form's fields."""
    return model_to_dict(address, fields=SAVED)


@transaction.atomic
def save(account_id: int, typed: Mapping[str, Any]) -> Address:
    """Saves the address; if the account has the same one already, marks that as used. Raises
    `TooMany`."""
    values = {field: typed[field] for field in SAVED}
    mine = Address.objects.filter(account=account_id)
    # Two forms that save at once see each other's address.
    User.objects.select_for_update(no_key=True).get(pk=account_id)
    if same := mine.filter(**values).first():
        mine.filter(pk=same.pk).update(used_at=Now())
        return same
    if mine.count() >= MOST:
        raise TooMany
    return Address.objects.create(account_id=account_id, **values)


@transaction.atomic
def change(address: Address, typed: Mapping[str, Any]) -> None:
    """Replaces the address. If it becomes the same as another one of the account, only that one is
    kept."""
    values = {field: typed[field] for field in SAVED}
    mine = Address.objects.filter(account=address.account_id)
    User.objects.select_for_update(no_key=True).get(pk=address.account_id)
    if mine.filter(**values).exclude(pk=address.pk).exists():
        mine.filter(pk=address.pk).delete()
    else:
        mine.filter(pk=address.pk).update(**values)
