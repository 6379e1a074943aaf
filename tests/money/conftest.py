from collections.abc import Iterator

import pytest

from checkout.payments import providers
from checkout.payments.stripe import Stripe
from tests import smtp
from tests.bank import HOOK_SECRET, KEY, BankProcess, running_bank
from tests.money.buying import Purchase, buy
from tests.running import PATIENCE
from tests.smtp import Mailbox


@pytest.fixture(scope="session")
def bank_process() -> Iterator[BankProcess]:
    with running_bank() as bank:
        yield bank


@pytest.fixture
def bank(bank_process: BankProcess, settings, monkeypatch) -> Iterator[BankProcess]:
    """The shop of this test takes payments by the bank, however slowly it answers."""
    monkeypatch.setitem(Stripe.__init__.__kwdefaults__, "seconds", PATIENCE)
    settings.PAYMENT_PROVIDER = "bank"
    settings.BANK_URL, settings.BANK_SECRET = bank_process.url, KEY
    settings.BANK_WEBHOOK_SECRET = HOOK_SECRET
    providers.provider.cache_clear()
    yield bank_process
    providers.provider.cache_clear()


@pytest.fixture
def paid(bank, client) -> Purchase:
    purchase = buy(bank, client)
    purchase.pays()
    assert purchase.settle() == "paid"
    return purchase


@pytest.fixture
def mailbox(settings) -> Iterator[Mailbox]:
    with smtp.mailbox(settings) as box:
        yield box
