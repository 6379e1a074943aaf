"""The admin's pages that do something with orders: each lists them, asks, and acts."""

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from allo.admin_kit.questions import Questions, Verb, named
from allo.web.parts import SeeOther
from catalog.templatetags.money import inr
from checkout.exceptions import (
    LeftChanged,
    NothingToRefund,
    NotThatState,
    RefundedAlready,
    TooMuch,
)
from checkout.models import Order
from checkout.orders import restocking
from checkout.staff.order_again import done_before, last_step
from checkout.staff.order_forms import (
    CancelForm,
    CorrectForm,
    NoteForm,
    RefundForm,
    RestockForm,
    ShipForm,
    left_of,
    sent_parcels,
    waiting_parcels,
)
from checkout.staff.order_steps import ACTS
from checkout.staff.slips import is_on_delivery, slips_of
from inventory.exceptions import AlreadyDone, StockError

State = Order.State

FULFIL = "checkout.fulfil_order"
FORMS: dict[str, type[forms.Form]] = {
    "pack": NoteForm,
    "ship": ShipForm,
    "correct": CorrectForm,
    "hand-over": NoteForm,
    "deliver": NoteForm,
    "refund": RefundForm,
    "restock": RestockForm,
    "cancel": CancelForm,
}
PAST = {
    "pack": "packed",
    "ship": "sent",
    "correct": "corrected",
    "hand-over": "handed over",
    "deliver": "delivered",
    "refund": "refunded",
    "restock": "restocked",
    "cancel": "cancelled",
}
# Where the title of a verb makes no sentence before the order's number.
ASKS = {"correct": "Correct the parcel of"}
# Done to several orders at once, from the list.
SEVERAL = ("pack", "deliver", "slip")
STEPS = ("pack", "ship", "hand-over", "deliver")
CHANGED = "It changed meanwhile: it is {state} now."


class Meanwhile(Exception):
    """The order is not as the person saw it any more."""


class OrderActions(Questions[Order]):
    verbs = {
        "pack": Verb("Pack", FULFIL),
        "ship": Verb("Ship", FULFIL),
        "correct": Verb("Correct parcel", FULFIL),
        "hand-over": Verb("Hand over", FULFIL),
        "deliver": Verb("Deliver", FULFIL),
        "slip": Verb("Packing slip", "checkout.view_order", asks=False),
        "refund": Verb("Refund", "checkout.refund_order"),
        "restock": Verb("Restock", "checkout.refund_order"),
        "cancel": Verb("Cancel", "checkout.cancel_order"),
    }

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        return {verb: action for verb, action in actions.items() if verb in SEVERAL}

    def open_verbs(self, request: HttpRequest, row: Order) -> Sequence[str]:
        return [verb for verb in self.allowed(request) if OPEN[verb](row)]

    def listed_verbs(self, request: HttpRequest, row: Order) -> Sequence[str]:
        """The next step only; the others are on the order's page."""
        return [verb for verb in STEPS if OPEN[verb](row)]

    def do_columns(self, request: HttpRequest) -> list[Callable[[Order], Any]]:
        return super().do_columns(request) if request.user.has_perm(FULFIL) else []

    def ask(self, request: HttpRequest, verb: str) -> HttpResponse:
        rows = list(self.chosen(request).order_by("paid_at", "pk"))
        if verb == "slip":
            return self.slips(request, rows)
        if len(rows) > 1 and verb not in SEVERAL:
            raise BadRequest("One order at a time.")
        ready = [row for row in rows if OPEN[verb](row)]
        posted = request.method == "POST"
        if posted and (said := self._done_before(request, verb, rows)):
            messages.info(request, said)
            return SeeOther(self.back(request))
        form = FORMS[verb](ready, request.POST if posted else None)  # type: ignore[arg-type]
        if posted and ready and form.is_valid() and self._do(request, verb, ready, form):
            return SeeOther(self.back(request))
        return self._question(request, verb, form, ready, rows, posted=posted)

    def _done_before(self, request: HttpRequest, verb: str, rows: Sequence[Order]) -> str:
        assert isinstance(request.user, User)
        return done_before(verb, rows, request.user, request.POST)

    def chosen(self, request: HttpRequest) -> QuerySet[Order]:
        read = ("payments", "order_lines__refunds", "order_events__who")
        return super().chosen(request).prefetch_related(*read)

    def slips(self, request: HttpRequest, rows: Sequence[Order]) -> HttpResponse:
        """Only shows: it is a page and no question."""
        slips = list(slips_of([row for row in rows if OPEN["slip"](row)]))
        template = "admin/checkout/order/slips.html"
        return self.render_page(request, template, title="Packing slips", slips=slips)

    def _question(
        self,
        request: HttpRequest,
        verb: str,
        form: forms.Form,
        ready: Sequence[Order],
        rows: Sequence[Order],
        *,
        posted: bool,
    ) -> HttpResponse:
        asks = ASKS.get(verb, self.verbs[verb].title)
        what = f"order {ready[0]}" if len(ready) == 1 else f"these {len(ready)} orders"
        return self.render_page(
            request,
            "admin/checkout/order/question.html",
            status=422 if posted and ready else 200,
            title=f"{asks} {what}?" if ready else f"Nothing to {verb.replace('-', ' ')}",
            verb=verb,
            press=f"{asks} {what}",
            form=form,
            on_delivery=any(is_on_delivery(row) for row in ready),
            rows=ready,
            others=[(row, last_step(row)) for row in rows if row not in ready],
        )

    def _do(self, request: HttpRequest, verb: str, rows: Sequence[Order], form: forms.Form) -> bool:
        """False if the form has to be shown again."""
        done = []
        for row in rows:
            try:
                self._act(request, verb, row, form)
            except Meanwhile as refusal:
                # The form may have been sent twice at once, and waited for the other.
                if said := self._done_before(request, verb, [row]):
                    messages.info(request, said)
                else:
                    messages.warning(request, f"{row} was not {PAST[verb]}. {refusal}")
            except LeftChanged as refusal:
                _show_again(form, refusal.left)
                return False
            else:
                done.append(row)
        if done:
            names = named([str(row) for row in done], 3)
            messages.success(request, f"{PAST[verb].capitalize()}: {names}.")
        return True

    def _act(self, request: HttpRequest, verb: str, row: Order, form: forms.Form) -> None:
        assert isinstance(request.user, User)
        answers = form.cleaned_data
        try:
            said = ACTS[verb](row, request.user, form)
        except (NotThatState, AlreadyDone, NothingToRefund, RefundedAlready, TooMuch):
            row.refresh_from_db()
            state = row.get_state_display().lower()
            raise Meanwhile(f"{CHANGED.format(state=state)} {last_step(row)}".strip()) from None
        except StockError as refusal:
            raise Meanwhile(str(refusal)) from None
        words = answers.get("reason") or answers.get("note") or ""
        self.log_change(request, row, f"{PAST[verb].capitalize()}{said}: {words}".rstrip(": "))


# Whether a verb applies to an order in its current state.
OPEN: dict[str, Callable[[Order], bool]] = {
    "pack": lambda order: order.state == State.PAID and bool(waiting_parcels(order)),
    "ship": lambda order: (
        order.state == State.PACKED and not order.is_collected and bool(waiting_parcels(order))
    ),
    "hand-over": lambda order: (
        order.state == State.PACKED and order.is_collected and bool(waiting_parcels(order))
    ),
    "deliver": lambda order: order.state == State.SHIPPED,
    "slip": lambda order: order.state in (State.PAID, State.PACKED, State.SHIPPED),
    "correct": lambda order: (
        order.state in (State.PACKED, State.SHIPPED)
        and not order.is_collected
        and bool(sent_parcels(order))
    ),
    "restock": lambda order: any(one.most for one in restocking.comebacks(order)),
    "refund": lambda order: order.paid_at is not None and left_of(order) > 0,
    "cancel": lambda order: order.state in Order.CANCELLABLE and not _has_left(order),
}


def _has_left(order: Order) -> bool:
    return any(line.shipped_at for line in order.order_lines.all())


def _show_again(form: forms.Form, left: int) -> None:
    """With what was typed, and the money that is left now."""
    form.data = form.data.copy()  # type: ignore[attr-defined]
    form.data["seen_left"] = str(left)  # type: ignore[index]
    words = f"Some of it was refunded meanwhile: {inr(left)} can still be refunded."
    form.add_error(None, f"{words} Nothing was refunded by this form.")
