"""Reservations on one hot row while orders of other rows are settled, beside the same alone."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from queue import Empty, SimpleQueue
from threading import Event
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection

from checkout.audit import audit_money
from checkout.commands import Hold
from checkout.models import Order, Payment
from checkout.orders import opening
from checkout.orders.drafts import Buyer, Draft, Pages
from checkout.payments import providers
from checkout.settle import settle
from reservations import services
from reservations.engine.commands import Holder
from reservations.engine.idempotency import Once, Reply
from tests.bank import HOOK_SECRET, KEY, BankProcess, running_bank
from tests.benchmarks.contenders import allo, new_holder
from tests.benchmarks.load import measure

ROUNDS, ORDERS, SETTLERS = 3, 700, 8


def report(rows: list[int]) -> Iterator[str]:
    yield (
        f"One hot row, 2 × 16 callers; {SETTLERS} threads settle orders of other rows, paid by card"
        f" at the simulated bank. {ROUNDS} alternating rounds.\n"
    )
    yield (
        "| reservations a second alone | beside settlements | ratio | settlements a second |\n"
        "|---|---|---|---|"
    )
    with _bank() as bank:
        for _ in range(ROUNDS):
            yield _round(bank, rows)
    yield f"\nAfterwards `audit_money` found {len(audit_money())} rows."


def _round(bank: BankProcess, rows: list[int]) -> str:
    paid: SimpleQueue[UUID] = SimpleQueue()
    for row, _ in zip(cycle(rows[1:]), range(ORDERS), strict=False):
        paid.put(_paid_order(bank, row))
    alone = measure(allo, rows[:1], processes=2, callers=16, keys=False).per_second
    over = Event()
    with ThreadPoolExecutor(SETTLERS) as settlers:
        started = time.perf_counter()
        settled = [settlers.submit(_settle_until, over, paid) for _ in range(SETTLERS)]
        beside = measure(allo, rows[:1], processes=2, callers=16, keys=False).per_second
        over.set()
        count = sum(one.result() for one in settled)
        seconds = time.perf_counter() - started
    assert not paid.empty(), "all orders were settled before the measurement ended"
    return f"| {alone:,.0f} | {beside:,.0f} | {beside / alone:.2f} | {count / seconds:.0f} |"


def _settle_until(over: Event, paid: SimpleQueue[UUID]) -> int:
    count = 0
    try:
        while not over.is_set():
            assert settle(paid.get_nowait()).state == Order.State.PAID
            count += 1
    except Empty:
        pass
    finally:
        connection.close()
    return count


def _paid_order(bank: BankProcess, row: int) -> UUID:
    """The payment of an order whose money is authorised at the bank."""
    hold = services.reserve_in(rows=(row,), quantity=1, holder=Holder(new_holder()))
    page = "http://127.0.0.1/orders/{number}/"
    draft = Draft(
        holder=hold.holder,
        account_id=None,
        buyer=Buyer(),
        provider="bank",
        shipping_paise=0,
        pages=Pages(page, page),
        gst_percents={hold.pk: 18},
    )
    once = Once(hold.holder, "bench", str(uuid4()), b"", lambda _: Reply(200, ""))
    seen = Hold(hold.pk, 1, hold.unit_paise)
    opening.open_order(draft=draft, held=[hold], holds=[seen], once=once)
    payment = opening.begun(Payment.objects.get(pk=draft.payment_id))
    bank.control(f"sessions/{payment.session_ref}/pay", way="card")
    return payment.pk


@contextmanager
def _bank() -> Iterator[BankProcess]:
    with running_bank() as bank:
        settings.BANK_URL, settings.BANK_SECRET = bank.url, KEY
        settings.BANK_WEBHOOK_SECRET = HOOK_SECRET
        providers.provider.cache_clear()
        yield bank
        providers.provider.cache_clear()
