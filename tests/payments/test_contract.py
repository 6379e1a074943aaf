"""What the shop relies on, of the bank of `make up` and, with a key of its test mode, of Stripe."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from checkout.payments.base import (
    AuthenticationNeeded,
    Declined,
    Fact,
    Invitation,
    MethodRefused,
    Money,
    RefundSeen,
    RefundState,
    Refused,
    Seen,
    SessionState,
    Unreachable,
)
from checkout.payments.stripe import Stripe
from tests.payments.conftest import pay

TOTAL = 2 * 1_245_000 + 99_950 + 9_900


def money(either: Stripe, invitation: Invitation, reference: str) -> Money:
    seen = either.look(invitation.payment_id, reference)
    assert seen.session is SessionState.COMPLETE
    return seen.money[0]


def test_opened_again_it_is_the_same_session(either, invitation) -> None:
    first = either.open(invitation)
    assert either.open(invitation) == first
    assert first.url.startswith(("http://127.0.0.1:", "https://checkout.stripe.com/"))
    seen = either.look(invitation.payment_id, first.reference)
    assert seen == Seen(session=SessionState.OPEN, money=())


def test_what_is_held_for_days_can_be_paid_from_the_first_moment(either, invitation) -> None:
    for_days = replace(invitation, expires_at=invitation.begins_at + timedelta(days=2))
    assert either.open(for_days).url


def test_opened_again_for_something_else_it_is_refused(either, invitation) -> None:
    either.open(invitation)
    with pytest.raises(Refused, match="same parameters"):
        either.open(replace(invitation, shipping_paise=0))


def test_a_closed_session_is_expired_and_can_be_closed_again(either, invitation) -> None:
    session = either.open(replace(invitation, email="", shipping_paise=0))
    either.close(session.reference)
    either.close(session.reference)
    seen = either.look(invitation.payment_id, session.reference)
    assert seen == Seen(session=SessionState.EXPIRED, money=())


def test_a_card_is_authorised_then_captured_once(either, invitation) -> None:
    reference = pay(either, invitation)
    assert money(either, invitation, reference) == Money(
        reference=reference, amount=TOTAL, currency="INR", fact=Fact.AUTHORISED, refunds=(),
        disputed_at=None,
    )  # fmt: skip
    either.close(reference)
    told = either.capture(reference, TOTAL)
    again = either.capture(reference, TOTAL)
    with pytest.raises(Refused):
        either.capture(reference, TOTAL - 1)
    captured = money(either, invitation, reference)
    assert (captured.fact, captured.amount) == (Fact.CAPTURED, TOTAL)
    assert told == again == captured
    with pytest.raises(Refused):
        either.void(reference)


def test_what_is_prepared_is_paid_by_nobody_else(either, invitation) -> None:
    session = either.prepare(invitation)
    assert (either.prepare(invitation), session.url) == (session, "")
    seen = either.look(invitation.payment_id, session.reference)
    assert seen == Seen(session=SessionState.OPEN, money=())


def test_paid_again_it_is_the_same_money_whatever_the_method(either, invitation) -> None:
    reference = pay(either, invitation)
    assert pay(either, invitation, "pm_card_chargeDeclined") == reference
    either.capture(reference, TOTAL)
    assert pay(either, invitation) == reference
    assert money(either, invitation, reference).amount == TOTAL


def test_an_authorisation_that_was_ended_is_void_and_cannot_be_captured(either, invitation) -> None:
    reference = pay(either, invitation)
    either.void(reference)
    either.void(reference)
    seen = either.look(invitation.payment_id, reference)
    assert seen.session is SessionState.EXPIRED
    (void,) = seen.money
    assert (void.fact, void.amount, void.refunds) == (Fact.VOID, TOTAL, ())
    with pytest.raises(Refused):
        either.capture(reference, TOTAL)
    with pytest.raises(Refused):
        either.refund(reference, uuid4(), TOTAL)


def test_a_refund_is_made_once_for_its_id(either, invitation) -> None:
    reference, first = pay(either, invitation), uuid4()
    either.capture(reference, TOTAL)
    made = either.refund(reference, first, 100_000)
    assert made == RefundSeen(
        reference=made.reference, refund_id=first, amount=100_000, state=RefundState.DONE
    )
    assert either.refund(reference, first, 100_000) == made
    with pytest.raises(Refused, match="not for 100001"):
        either.refund(reference, first, 100_001)
    with pytest.raises(Refused):
        either.refund(reference, uuid4(), TOTAL)
    rest = either.refund(reference, uuid4(), TOTAL - 100_000)
    assert money(either, invitation, reference).refunds == (made, rest)
    with pytest.raises(Refused):
        either.refund(reference, uuid4(), 1)


def test_a_declined_card_pays_nothing_and_is_not_tried_again(either, invitation) -> None:
    reference = either.prepare(invitation).reference
    for method in ("pm_card_chargeDeclined", "pm_card_visa"):
        with pytest.raises(Declined, match="declined"):
            either.pay(reference, invitation, method)
    either.close(reference)
    with pytest.raises(Declined):
        either.pay(reference, invitation, "pm_card_visa")
    seen = either.look(invitation.payment_id, reference)
    assert seen == Seen(session=SessionState.EXPIRED, money=())


def test_an_unknown_method_is_refused_and_pays_nothing(either, invitation) -> None:
    reference = either.prepare(invitation).reference
    with pytest.raises(MethodRefused):
        either.pay(reference, invitation, "pm_unknown")
    seen = either.look(invitation.payment_id, reference)
    assert seen == Seen(session=SessionState.OPEN, money=())


def test_what_was_closed_cannot_be_paid(either, invitation) -> None:
    reference = either.prepare(invitation).reference
    either.close(reference)
    with pytest.raises(Refused, match="closed"):
        either.pay(reference, invitation, "pm_card_visa")


def test_an_authentication_has_an_address_and_can_be_given_up(either, invitation) -> None:
    reference = either.prepare(invitation).reference
    for method in ("pm_card_authenticationRequired", "pm_card_visa"):
        with pytest.raises(AuthenticationNeeded) as needed:
            either.pay(reference, invitation, method)
        assert needed.value.url.startswith("http")
        assert needed.value.reference == reference
    seen = either.look(invitation.payment_id, reference)
    assert seen == Seen(session=SessionState.OPEN, money=())
    either.close(reference)
    either.close(reference)
    seen = either.look(invitation.payment_id, reference)
    assert seen == Seen(session=SessionState.EXPIRED, money=())


@pytest.mark.parametrize("reference", ["cs_test_unknown", "pi_unknown"])
def test_what_the_provider_does_not_know_is_refused(either, reference) -> None:
    with pytest.raises(Refused) as refused:
        either.look(uuid4(), reference)
    assert refused.value.code == "resource_missing"
    with pytest.raises(Refused):
        either.close(reference)


def test_a_wrong_key_says_nothing_of_a_payment(either, invitation) -> None:
    session = either.open(invitation)
    other = Stripe(key="sk_test_wrong", hook_secret="", api=api_of(either), proxies=False)
    with pytest.raises(Unreachable, match="Invalid API Key"):
        other.look(invitation.payment_id, session.reference)


def api_of(either: Stripe) -> str:
    return either.origin if either.name == "bank" else "https://api.stripe.com"
