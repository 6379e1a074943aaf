"""A process that is killed between any two steps of money's way: then only the clock runs, and all
money comes to where it belongs, by the bank's own books."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db.models import QuerySet
from django.test import Client

from allo.outbox.models import Message
from checkout import clock
from checkout.audit import audit_money
from checkout.models import Charge, Order, Payment, Refund
from checkout.orders import opening
from reservations import services
from reservations.clock.audit import audit_stock
from reservations.clock.expiry import expire_due
from tests.bank import HOOK_SECRET, KEY, BankProcess
from tests.money.at_bank import astray
from tests.money.buying import Purchase, buy
from tests.money.programs import VISA, Program, program
from tests.running import PROJECT
from tests.server import environment_here
from tests.shopping import BUYER, holding, key
from tests.stock import pass_time, stocked

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

MOST_STEPS = 40
SOLD = [("authorised", 770_000), ("captured", 770_000)]


class Doomed:
    def __init__(self, bank: BankProcess) -> None:
        environment = environment_here(
            PAYMENT_PROVIDER="bank", BANK_URL=bank.url, BANK_SECRET=KEY,
            BANK_WEBHOOK_SECRET=HOOK_SECRET, RESERVE_RATE="off", PAY_RATE="off",
        )  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.money.doomed"],
            cwd=PROJECT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def dies(self, step: int, way: str, **given: Any) -> str:
        """Returns the name of the step; "" if it came to its end before."""
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps({"step": step, "way": way, **given}), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        assert answer, "the parent has died"
        return answer.strip()


@pytest.fixture(scope="module")
def doomed(bank_process: BankProcess, django_db_setup: None) -> Iterator[Doomed]:
    """One for all tests: their database and the bank stay the same."""
    doomed = Doomed(bank_process)
    yield doomed
    doomed.process.communicate()


def only_the_clock(*, seconds: int = 0) -> None:
    """Looks are as often as their times, which are not waited for."""
    if seconds:
        pass_time(seconds)
        expire_due()
    for _ in range(2):
        Payment.objects.update(look_at="2020-01-01T00:00Z")
        clock.settle_due()


def assert_settled(bank: BankProcess) -> None:
    """P6, and all that the audits know."""
    assert not Charge.objects.filter(settled_at=None).exists()
    assert not Refund.objects.filter(state="asked").exists()
    assert astray(bank, Order.objects.all()) == []
    assert audit_money() == audit_stock() == []


def states() -> QuerySet[Order, str]:
    """Of all orders, the first first."""
    return Order.objects.order_by("opened_at").values_list("state", flat=True)


def deaths_of(doomed: Doomed, way: str, new: Callable[[], dict[str, str]]) -> tuple[str, ...]:
    """Goes this way with what `new` makes, and again, killed one step later each time."""
    deaths: list[str] = []
    for step in range(1, MOST_STEPS):
        died = doomed.dies(step, way, **new())
        if not died:
            return tuple(deaths)
        deaths.append(died)
    raise AssertionError(deaths)


def test_killed_while_it_orders(doomed, bank) -> None:
    """Whatever is left behind, nobody is charged, and the units get free when time is over."""
    stock = stocked(50)

    def held() -> dict[str, Any]:
        client = Client()
        hold = holding(client, stock)
        cookies = {name: morsel.value for name, morsel in client.cookies.items()}
        form = {**BUYER, "idempotency_key": key()}
        return {"cookies": cookies, "address": f"/checkout/{hold.pk}/confirm/", "form": form}

    assert deaths_of(doomed, "order", held) == (
        "written, not committed",
        "ordered",
        "page opened at the bank",
        "reference stored",
    )
    only_the_clock()
    assert list(states()) == ["open"] * 4
    only_the_clock(seconds=901)
    assert list(states()) == ["dropped"] * 4
    assert not Payment.objects.filter(closed_at=None).exists()
    assert_settled(bank)


PROGRAM_PAYS = (
    "written, not committed",
    "ordered",
    "prepared at the bank",
    "reference stored",
    "paying, its answer is open",
    "paid at the bank",
    "looked",
    "written, not committed",
    "decided",
    "captured at the bank",
    "recorded, not committed",
    "recorded",
)


@pytest.mark.parametrize("retried", [True, False])
def test_killed_while_a_program_pays(doomed, bank, settings, retried) -> None:
    """A retry under its key is charged once; without one the clock sells what was paid."""
    settings.RESERVATION_MAX_UNITS_PER_ADDRESS = 0
    stock, programs = stocked(100), dict[str, Program]()

    def ready() -> dict[str, Any]:
        programs[key()] = it = program(bank, stock)
        return {
            "address": f"/api/reservations/{it.hold.pk}/confirm", "token": it.token,
            "key": [*programs][-1], "body": {"payment_method": VISA},
        }  # fmt: skip

    assert deaths_of(doomed, "pay", ready) == PROGRAM_PAYS
    if retried:
        answers = {it.confirm(VISA, once) for once, it in programs.items()}
        assert answers == {(200, "confirmed")}
    only_the_clock()
    only_the_clock(seconds=901)
    # The first was killed before there was an order, the last came to its end.
    unpaid = 0 if retried else PROGRAM_PAYS.index("paying, its answer is open") - 1
    sold = len(programs) - unpaid - (not retried)
    assert sorted(states()) == ["dropped"] * unpaid + ["paid"] * sold
    assert [it.moves for it in [*programs.values()][-sold:]] == [[SOLD]] * sold
    assert_settled(bank)


DECIDES = ("looked", "written, not committed", "decided")
DROPS = ("looked", "written, not committed", "dropped")
RECORDS = ("recorded, not committed", "recorded")
LOOKS = ("looked", *RECORDS)
REFUNDS = ("refunded at the bank", "refund recorded")


@dataclass(frozen=True)
class Way:
    """It `ends` so if it was killed after the step `by`, else in another state. `late`: the hold's
    time is over before the clock comes."""

    before: Callable[[Purchase], object]
    deaths: tuple[str, ...]
    ends: str
    by: str = ""
    otherwise: str = ""
    way: str = "settle"
    late: bool = False


def pays(by: str) -> Callable[[Purchase], object]:
    return lambda purchase: purchase.pays(by)


def pays_for_a_dead_hold(by: str) -> Callable[[Purchase], object]:
    def before(purchase: Purchase) -> None:
        purchase.pays(by)
        services.release(reservation_id=purchase.hold.pk)

    return before


def has_paid(purchase: Purchase) -> None:
    purchase.pays()
    assert purchase.settle() == "paid"


def lapses(purchase: Purchase) -> None:
    """It lapses between the decision and the capture."""
    reference = purchase.pays()
    payment = purchase.payment
    assert payment.session_ref
    seen = purchase.bank.provider().look(payment.pk, payment.session_ref)
    opening.decide_about(payment, seen.money)
    purchase.bank.control(f"intents/{reference}/lapse")


def is_about_to_end(purchase: Purchase) -> None:
    pass_time(885, pk=purchase.hold.pk)


WAYS = {
    "paid twice by card": Way(
        pays("twice"),
        (*DECIDES, "captured at the bank", *RECORDS, "voided at the bank", *LOOKS),
        "paid",
    ),
    "paid by card, and the clock is late": Way(
        pays("card"),
        (*DECIDES, "captured at the bank", *RECORDS),
        "paid",
        by="decided",
        otherwise="dropped",
        late=True,
    ),
    "paid by UPI": Way(pays("upi"), (*DECIDES, *RECORDS), "paid"),
    "paid by card for a dead hold": Way(
        pays_for_a_dead_hold("card"),
        (*DECIDES, *RECORDS, "voided at the bank", *DROPS, *RECORDS),
        "dropped",
    ),
    "paid by UPI for a dead hold": Way(
        pays_for_a_dead_hold("upi"),
        (*DECIDES, *RECORDS, *REFUNDS, *DROPS, "refund recorded", *RECORDS),
        "dropped",
    ),
    "the authorisation lapses": Way(
        lapses,
        (*LOOKS, "restocked, not committed", "cancelled", *LOOKS),
        "cancelled",
    ),
    "its time is about to end": Way(
        is_about_to_end, (*LOOKS, "page closed at the bank", *LOOKS), "dropped", late=True
    ),
    "cancelled by staff": Way(
        has_paid,
        (
            "restocked, not committed",
            "refund asked for, not committed",
            "cancelled by staff",
            *LOOKS,
            *REFUNDS,
            "looked",
            "refund recorded",
            *RECORDS,
        ),
        "cancelled",
        by="cancelled by staff",
        otherwise="paid",
        way="cancel",
    ),
}


@pytest.mark.parametrize("name", WAYS)
def test_killed_while_it_settles(doomed, bank, name) -> None:
    way, stock = WAYS[name], stocked(100)
    bought: list[Purchase] = []

    def ready() -> dict[str, str]:
        bought.append(buy(bank, Client(), stock))
        way.before(bought[-1])
        return {"payment": str(bought[-1].payment.pk), "order": str(bought[-1].order_id)}

    deaths = deaths_of(doomed, way.way, ready)
    assert deaths == way.deaths
    only_the_clock(seconds=901 if way.late else 0)
    # A decision is final; what was not decided in time is not sold.
    ends = [ending(way, deaths[:step]) for step, _ in enumerate(bought, 1)]
    assert list(states()) == ends
    assert_settled(bank)
    receipts = Message.objects.filter(kind="receipt")
    assert receipts.count() == Order.objects.filter(paid_at__isnull=False).count()
    stock.refresh_from_db()
    assert stock.total_units == 100 - ends.count("paid")


def ending(way: Way, passed: tuple[str, ...]) -> str:
    return way.ends if not way.by or way.by in passed else way.otherwise
