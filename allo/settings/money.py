"""Payments: who takes them, for how long, and what goes on an invoice."""

import re

from django.core.exceptions import ImproperlyConfigured

from allo.settings.environment import PRODUCTION, env

PAYMENT_PROVIDER = env.str("PAYMENT_PROVIDER", default="" if PRODUCTION else "none")
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", default="")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", default="")
# Of the bank of `make up`.
BANK_URL = env.str("BANK_URL", default="")
BANK_SECRET = env.str("BANK_SECRET", default="")
BANK_WEBHOOK_SECRET = env.str("BANK_WEBHOOK_SECRET", default="")

_providers = ("stripe", "none") if PRODUCTION else ("bank", "stripe", "none")
if PAYMENT_PROVIDER not in _providers:
    raise ImproperlyConfigured(
        f'PAYMENT_PROVIDER is "{PAYMENT_PROVIDER}"; {"in PRODUCTION " if PRODUCTION else ""}'
        f"give one of {', '.join(_providers)}."
    )
_needed = {
    "stripe": ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"),
    "bank": ("BANK_URL", "BANK_SECRET", "BANK_WEBHOOK_SECRET"),
}
for _name in _needed.get(PAYMENT_PROVIDER, ()):
    if not globals()[_name]:
        raise ImproperlyConfigured(f"PAYMENT_PROVIDER={PAYMENT_PROVIDER} needs {_name}.")

# Whether the buyer of an order that is paid on delivery confirms the e-mail address first.
ON_DELIVERY_NEEDS_CODE = env.bool("ON_DELIVERY_NEEDS_CODE", default=True)

# How long the holds of an order last at least, once its payment is opened.
PAYMENT_WINDOW_SECONDS = env.int("PAYMENT_WINDOW_SECONDS", default=900)
if not 60 <= PAYMENT_WINDOW_SECONDS <= 43_200:
    raise ImproperlyConfigured(
        f"PAYMENT_WINDOW_SECONDS is {PAYMENT_WINDOW_SECONDS}; give 60 to 43200."
    )
# Of one order that is sent.
SHIPPING_PAISE = env.int("SHIPPING_PAISE", default=0)
if SHIPPING_PAISE < 0:
    raise ImproperlyConfigured(f"SHIPPING_PAISE is {SHIPPING_PAISE}; give 0 or more.")
# With it, each paid order has an invoice with a number of its own. It begins with the number of a
# state (`checkout.orders.places`).
SELLER_GSTIN = env.str("SELLER_GSTIN", default="")
SELLER_NAME = env.str("SELLER_NAME", default="")
SELLER_ADDRESS = env.str("SELLER_ADDRESS", default="")
_gstin = r"(0[1-9]|1\d|2[0-4679]|3[0-8])[A-Z]{5}\d{4}[A-Z][1-9A-Z]Z[0-9A-Z]"
if SELLER_GSTIN and not re.fullmatch(_gstin, SELLER_GSTIN):
    raise ImproperlyConfigured(f'SELLER_GSTIN is "{SELLER_GSTIN}", which is no GSTIN.')
if SELLER_GSTIN and not (SELLER_NAME and SELLER_ADDRESS):
    raise ImproperlyConfigured("SELLER_GSTIN needs SELLER_NAME and SELLER_ADDRESS.")
