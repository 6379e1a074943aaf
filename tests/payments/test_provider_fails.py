"""A provider that is slow, down, or busy: what was called for is unknown, and callers go on."""

import pytest

from checkout.payments.base import ProviderError, TooMany, Unreachable
from tests.payments.receiver import receiver
from tests.running import free_port


def test_a_slow_provider_is_given_up(bank, payment) -> None:
    hasty = bank.provider(seconds=0.3)
    with bank.fault(slow=60), pytest.raises(Unreachable):
        hasty.look(payment.invitation.payment_id, payment.session.reference)


def test_several_calls_of_one_look_share_its_time(bank, payment) -> None:
    reference = payment.captured()
    bank.control(f"intents/{reference}/dispute")
    # Three calls, each of them answered in time.
    hasty = bank.provider(seconds=1.2)
    with bank.fault(slow=0.5), pytest.raises(Unreachable):
        hasty.look(payment.invitation.payment_id, payment.session.reference)


@pytest.mark.parametrize(
    ("fault", "error"), [("down", Unreachable), ("too_many", TooMany)], ids=["down", "busy"]
)
def test_a_provider_that_is_down_or_busy_says_so_and_nothing_is_retried(
    bank, payment, fault, error
) -> None:
    reference = payment.pays()
    provider = payment.provider
    calls = [
        lambda: provider.open(payment.invitation),
        payment.look,
        lambda: provider.close(payment.session.reference),
        lambda: provider.capture(reference, payment.total),
        lambda: provider.void(reference),
        lambda: provider.refund(reference, payment.invitation.payment_id, 1),
        lambda: provider.prepare(payment.invitation),
        lambda: provider.pay(reference, payment.invitation, "pm_card_visa"),
    ]
    with bank.fault(**{fault: True}):
        for call in calls:
            with pytest.raises(ProviderError) as raised:
                call()
            assert type(raised.value) is error
    assert bank.moves(reference) == [("authorised", payment.total)]


def test_nobody_who_listens_is_unreachable(bank, invitation) -> None:
    nowhere = bank.provider(api=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unreachable):
        nowhere.open(invitation)


@pytest.mark.parametrize("body", [b"<html>502 Bad Gateway</html>", b'{"error": 7}', b""])
def test_an_answer_that_is_not_the_providers_says_nothing(bank, invitation, body) -> None:
    with receiver(status=502, answer=body) as proxy, pytest.raises(Unreachable):
        bank.provider(api=proxy.url).open(invitation)
