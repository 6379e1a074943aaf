"""What the database itself refuses of invitations to pay."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from checkout.models import Payment
from tests.checkout.orders import (
    State,
    brought,
    invited,
    refuses,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("made", "constraint"),
    [
        ({"provider": "cash"}, "payment_provider_known"),
        ({"expires_at": timezone.now().replace(year=2000)}, "payment_lasts"),
        ({"session_ref": ""}, "session_has_a_reference"),
        ({"session_ref": "cs_1"}, "one_payment_per_session"),
        ({"look_at": None}, "unclosed_payment_is_looked_at"),
        ({}, "one_unclosed_payment_per_order"),
    ],
)
def test_an_invitation_is_coherent(order, made, constraint) -> None:
    Payment.objects.update(session_ref="cs_1", url="https://bank.example/1")
    if made:
        Payment.objects.update(closed_at=timezone.now())
    with refuses(constraint):
        invited(order, **made)


def test_an_invitation_is_of_an_open_order(order) -> None:
    brought(order, State.PLACED)
    with refuses("payment_is_of_an_open_order"):
        invited(order)


def test_what_is_given_up_is_not_taken(order) -> None:
    Payment.objects.update(given_up_at=timezone.now())
    with refuses("given_up_is_not_taken"):
        brought(order, State.PLACED)


def test_what_is_taken_is_not_given_up(order) -> None:
    brought(order, State.PLACED)
    with refuses("taken_is_not_given_up"):
        Payment.objects.update(given_up_at=timezone.now())


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"provider": "none"}, "invitation_stays_as_made"),
        (
            {"expires_at": F("expires_at") + timedelta(minutes=1)},
            "invitation_stays_as_made",
        ),
        ({"success_url": "x"}, "invitation_stays_as_made"),
        ({"cancel_url": "x"}, "invitation_stays_as_made"),
        ({"session_ref": "cs_2"}, "session_is_set_once"),
        ({"session_ref": None}, "session_is_set_once"),
        ({"url": "https://bank.example/2"}, "session_is_set_once"),
        ({"given_up_at": None}, "given_up_is_given_up"),
        ({"closed_at": None}, "closed_is_closed"),
        ({"closed_at": timezone.now()}, "closed_is_closed"),
    ],
)
def test_an_invitation_never_differs(order, values, constraint) -> None:
    Payment.objects.update(session_ref="cs_1", url="https://bank.example/1")
    now = timezone.now()
    Payment.objects.update(given_up_at=now, closed_at=now, look_at=None, looks=3)
    with refuses(constraint):
        Payment.objects.update(**values)
