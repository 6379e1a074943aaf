"""A shop that could not take payments as it is set does not start."""

import runpy

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from checkout.orders.places import GST_CODES
from checkout.payments.providers import provider
from tests.running import PROJECT

GSTIN = "29ABCDE1234F1Z5"
STRIPE = {"STRIPE_SECRET_KEY": "sk_live_1", "STRIPE_WEBHOOK_SECRET": "whsec_1"}


def read(monkeypatch, production: bool, **environment: str):
    monkeypatch.setattr("allo.settings.environment.PRODUCTION", production)
    for name in ("PAYMENT_PROVIDER", "BANK_URL", "BANK_SECRET", *STRIPE):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(PROJECT / "allo/settings/money.py"))


@pytest.mark.parametrize(
    ("production", "environment", "said"),
    [
        (True, {}, 'PAYMENT_PROVIDER is ""; in PRODUCTION give one of stripe, none.'),
        (True, {"PAYMENT_PROVIDER": "bank"}, 'PAYMENT_PROVIDER is "bank"; in PRODUCTION'),
        (False, {"PAYMENT_PROVIDER": "cash"}, "give one of bank, stripe, none."),
        (False, {"PAYMENT_PROVIDER": "bank"}, "PAYMENT_PROVIDER=bank needs BANK_URL."),
        (True, {"PAYMENT_PROVIDER": "stripe"}, "needs STRIPE_SECRET_KEY."),
        (
            True,
            {"PAYMENT_PROVIDER": "stripe", "STRIPE_SECRET_KEY": "sk_live_1"},
            "needs STRIPE_WEBHOOK_SECRET.",
        ),
        (False, {"PAYMENT_WINDOW_SECONDS": "59"}, "give 60 to 43200."),
        (False, {"SHIPPING_PAISE": "-1"}, "give 0 or more."),
        (False, {"SELLER_GSTIN": "29ABCDE1234F1Z"}, "is no GSTIN."),
        (False, {"SELLER_GSTIN": "39ABCDE1234F1Z5"}, "is no GSTIN."),
        (False, {"SELLER_GSTIN": GSTIN}, "SELLER_GSTIN needs SELLER_NAME and SELLER_ADDRESS."),
        (False, {"SELLER_GSTIN": GSTIN, "SELLER_NAME": "Allo"}, "and SELLER_ADDRESS."),
    ],
)
def test_it_is_refused(monkeypatch, production, environment, said) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        read(monkeypatch, production, **environment)
    assert said in str(refused.value)


def test_it_is_accepted(monkeypatch) -> None:
    assert read(monkeypatch, False)["PAYMENT_PROVIDER"] == "none"
    assert read(monkeypatch, True, PAYMENT_PROVIDER="none")["PAYMENT_WINDOW_SECONDS"] == 900
    assert read(monkeypatch, True, PAYMENT_PROVIDER="stripe", **STRIPE)["SHIPPING_PAISE"] == 0
    seller = {"SELLER_NAME": "Allo", "SELLER_ADDRESS": "14 Lake Road, Bengaluru"}
    for state in GST_CODES.values():
        gstin = f"{state}ABCDE1234F1Z5"
        assert read(monkeypatch, False, SELLER_GSTIN=gstin, **seller)["SELLER_GSTIN"] == gstin


def test_a_payment_finds_its_provider_by_name_whatever_the_setting(monkeypatch) -> None:
    monkeypatch.setattr(settings, "PAYMENT_PROVIDER", "stripe")
    monkeypatch.setattr(settings, "STRIPE_SECRET_KEY", "sk_test_1")
    monkeypatch.setattr(settings, "BANK_SECRET", "sk_bank")
    monkeypatch.setattr(settings, "BANK_URL", "http://127.0.0.1:9")
    provider.cache_clear()
    for name, origin in (
        ("stripe", "https://checkout.stripe.com"), ("bank", "http://127.0.0.1:9"),
    ):  # fmt: skip
        assert (provider(name).name, provider(name).origin) == (name, origin)
    with pytest.raises(LookupError):
        provider("cash")
    provider.cache_clear()
