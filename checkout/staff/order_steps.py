"""What each verb of staff does to an order. Returns what the log says besides the reason."""

from collections.abc import Callable

from django import forms
from django.contrib.auth.models import User

from catalog.templatetags.money import inr
from checkout.models import Order
from checkout.orders import cancelling, fulfilling, restocking
from checkout.staff.order_forms import CorrectForm, RefundForm, RestockForm, ShipForm


def _noted(step: Callable[..., None]) -> Callable[[Order, User, forms.Form], str]:
    def act(order: Order, actor: User, form: forms.Form) -> str:
        step(order, actor=actor, note=form.cleaned_data["note"])
        return ""

    return act


def _ship(order: Order, actor: User, form: forms.Form) -> str:
    return _of_parcel(fulfilling.ship, order, actor, form)


def _correct(order: Order, actor: User, form: forms.Form) -> str:
    return _of_parcel(fulfilling.correct, order, actor, form)


def _of_parcel(step: Callable[..., None], order: Order, actor: User, form: forms.Form) -> str:
    assert isinstance(form, ShipForm | CorrectForm)
    answers = dict(form.cleaned_data)
    warehouse = form.places[answers.pop("warehouse")]
    step(order, warehouse=warehouse, actor=actor, **answers)
    return f" from {warehouse.name}"


def _refund(order: Order, actor: User, form: forms.Form) -> str:
    assert isinstance(form, RefundForm)
    answers, parts = form.cleaned_data, form.parts()
    fulfilling.refund(
        order,
        parts=parts,
        seen_left=answers["seen_left"],
        reason=answers["reason"],
        actor=actor,
        key=answers["key"],
    )
    return f" {inr(sum(part.paise for part in parts))}"


def _restock(order: Order, actor: User, form: forms.Form) -> str:
    assert isinstance(form, RestockForm)
    units = form.units()
    restocking.restock(order, units=units, actor=actor, note=form.cleaned_data["note"])
    return " " + ", ".join(f"{number} × {back.line.name}" for back, number in units.items())


def _cancel(order: Order, actor: User, form: forms.Form) -> str:
    answers = form.cleaned_data
    cancelling.cancel(order, of=(answers["seen"],), reason=answers["reason"], actor=actor)
    return ""


ACTS: dict[str, Callable[[Order, User, forms.Form], str]] = {
    "pack": _noted(fulfilling.pack),
    "ship": _ship,
    "correct": _correct,
    "hand-over": _noted(fulfilling.hand_over),
    "deliver": _noted(fulfilling.deliver),
    "refund": _refund,
    "restock": _restock,
    "cancel": _cancel,
}
