"""Starts the bank: a process of its own, with its own books in the state folder."""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from allo.embedded.address import Address
from allo.embedded.processes import Service
from allo.embedded.state import Secrets

PROJECT = Path(__file__).resolve().parents[2]
HOOK_PATH = "payments/hook/bank/"
ANSWER_SECONDS = 2.0
# Variables of the shop that the bank's process does not get.
NOT_FOR_THE_BANK = {"DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "SECRET_KEY"}


def bank_variables(bank: Address | None, secrets: Secrets) -> dict[str, str]:
    """The variables by which the shop finds the bank."""
    if bank is None:
        return {}
    return {
        "PAYMENT_PROVIDER": "bank",
        "BANK_URL": bank.url.removesuffix("/"),
        **bank_secrets(secrets),
    }


def bank_secrets(secrets: Secrets) -> dict[str, str]:
    return {
        "BANK_SECRET": secrets.bank_secret,
        "BANK_WEBHOOK_SECRET": secrets.bank_webhook_secret,
    }


def bank_service(bank: Address, shop: Address, environment: Mapping[str, str]) -> Service:
    own = {name: text for name, text in environment.items() if name not in NOT_FOR_THE_BANK}
    return Service(
        name="bank",
        command=[sys.executable, "-m", "checkout.bank"],
        environment={
            **own,
            "BANK_PORT": str(bank.port),
            "SHOP_HOOK_URL": f"{shop.url}{HOOK_PATH}",
        },
        folder=PROJECT,
        ready=bank.answers,
        answers=partial(bank.answers, ANSWER_SECONDS),
    )
