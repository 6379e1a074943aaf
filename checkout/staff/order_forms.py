"""The forms of what staff do with orders."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms

from allo.web.fields import LineField
from catalog.templatetags.money import inr
from checkout.models import Charge, Order, OrderLine
from checkout.orders import fulfilling, restocking
from checkout.orders.fulfilling import Part
from checkout.orders.parcels import in_parcels
from checkout.staff.order_again import last_step
from inventory.models import Warehouse
from reservations.staff.forms import ReasonForm

# Leaves room for what the record says before it, within its 200 characters.
LONGEST_NOTE = 90


def kept_in(order: Order) -> dict[Warehouse, list[OrderLine]]:
    """The lines of each warehouse, which are one parcel."""
    found: dict[Warehouse, list[OrderLine]] = {}
    for line in order.order_lines.all():
        found.setdefault(line.reservation.inventory.warehouse, []).append(line)
    return found


def parcels_of(order: Order) -> dict[Warehouse, list[OrderLine]]:
    """Without those of which all units were put back before they left."""
    return {warehouse: lines for warehouse, lines in kept_in(order).items() if in_parcels(lines)}


def waiting_parcels(order: Order) -> dict[Warehouse, list[OrderLine]]:
    """Those that have not left yet."""
    parcels = parcels_of(order).items()
    return {warehouse: lines for warehouse, lines in parcels if not lines[0].shipped_at}


def sent_parcels(order: Order) -> dict[Warehouse, list[OrderLine]]:
    parcels = parcels_of(order).items()
    return {warehouse: lines for warehouse, lines in parcels if lines[0].shipped_at}


def parcel_name(lines: Sequence[OrderLine]) -> str:
    """Its carrier and its number."""
    return f"{lines[0].carrier} {lines[0].tracking}".strip()


def left_of(order: Order) -> int:
    """What can still be refunded, in paise, from the charges that a list has read already."""
    return sum(
        charge.amount - charge.refunded_paise
        for charge in order.charges.all()
        if (charge.decision, charge.fact) == (Charge.Decision.TAKE, Charge.Fact.CAPTURED)
    )


def contents(lines: Iterable[OrderLine]) -> str:
    return ", ".join(str(line) for line in lines)


def packed(lines: Iterable[OrderLine]) -> str:
    """What of them is in their parcel."""
    return ", ".join(f"{units} × {line.name}" for line, units in in_parcels(lines))


class NoteForm(forms.Form):
    note = LineField(
        required=False,
        max_length=LONGEST_NOTE,
        widget=forms.TextInput({"autocomplete": "off"}),
        help_text="For the record, if you have something to add. Do not name the buyer.",
    )

    def __init__(self, orders: Sequence[Order], data: Any = None) -> None:
        self.orders = orders
        super().__init__(data)


class ParcelForm(NoteForm):
    warehouse = forms.TypedChoiceField(label="Parcel from", coerce=int)
    carrier = LineField(max_length=60)
    tracking = LineField(
        label="Tracking number",
        max_length=60,
        required=False,
        widget=forms.TextInput({"autocomplete": "off"}),
        help_text="The buyer gets it by mail. Empty if the carrier gives none.",
    )
    field_order = ("warehouse", "carrier", "tracking", "note")


class ShipForm(ParcelForm):
    def __init__(self, orders: Sequence[Order], data: Any = None) -> None:
        super().__init__(orders, data)
        waiting = waiting_parcels(orders[0]) if orders else {}
        self.places = {warehouse.pk: warehouse for warehouse in waiting}
        self.fields["warehouse"].choices = [  # type: ignore[attr-defined]
            (warehouse.pk, f"{warehouse.name}: {packed(lines)}")
            for warehouse, lines in waiting.items()
        ]
        left = " ".join(["This parcel has left already.", *map(last_step, orders)])
        self.fields["warehouse"].error_messages["invalid_choice"] = left


class CorrectForm(ParcelForm):
    # What the person saw: if somebody corrected a parcel meanwhile, nothing happens.
    seen_corrections = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, orders: Sequence[Order], data: Any = None) -> None:
        super().__init__(orders, data)
        self.fields["tracking"].help_text = "The buyer gets both by mail."
        self.parcels = sent_parcels(orders[0]) if orders else {}
        self.corrections = sum(map(fulfilling.corrections_of, orders))
        self.initial["seen_corrections"] = self.corrections
        self.places = {warehouse.pk: warehouse for warehouse in self.parcels}
        self.fields["warehouse"].choices = [  # type: ignore[attr-defined]
            (warehouse.pk, f"{warehouse.name}: {packed(lines)}, by {parcel_name(lines)}")
            for warehouse, lines in self.parcels.items()
        ]
        if len(self.parcels) == 1:
            [[line, *_]] = self.parcels.values()
            self.initial.update(carrier=line.carrier, tracking=line.tracking)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors and cleaned["seen_corrections"] != self.corrections:
            raise forms.ValidationError("Somebody corrected a parcel of it meanwhile. Look again.")
        if not self.errors:
            [line, *_] = self.parcels[self.places[cleaned["warehouse"]]]
            if (line.carrier, line.tracking) == (cleaned["carrier"], cleaned["tracking"]):
                raise forms.ValidationError("That is what this parcel says already.")
        return cleaned


class RestockForm(NoteForm):
    # What the person saw: if somebody put units back meanwhile, nothing happens.
    seen_returned = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, orders: Sequence[Order], data: Any = None) -> None:
        super().__init__(orders, data)
        found = [comeback for order in orders for comeback in restocking.comebacks(order)]
        self.returned = sum(comeback.back for comeback in found)
        self.initial["seen_returned"] = self.returned
        self.lines = {f"units-{one.line.pk}": one for one in found if one.most}
        for name, comeback in self.lines.items():
            self.fields[name] = _units_of(comeback)
        self.order_fields([*self.lines, "note", "seen_returned"])

    def units(self) -> dict[restocking.Comeback, int]:
        asked = {comeback: self.cleaned_data.get(name) for name, comeback in self.lines.items()}
        return {comeback: units for comeback, units in asked.items() if units}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors and cleaned["seen_returned"] != self.returned:
            raise forms.ValidationError("Units of it were put back meanwhile. Look again.")
        if not self.errors and not self.units():
            raise forms.ValidationError("Give the units that are there.")
        return cleaned


class CancelForm(ReasonForm):
    # What the person saw: if the order has moved on meanwhile, it is not cancelled.
    seen = forms.ChoiceField(
        choices=[(state, state) for state in Order.CANCELLABLE], widget=forms.HiddenInput
    )

    def __init__(self, orders: Sequence[Order], data: Any = None) -> None:
        super().__init__(data, initial={"seen": orders[0].state if orders else ""})


class RefundForm(ReasonForm):
    seen_left = forms.IntegerField(widget=forms.HiddenInput)
    # Of this form: if it is sent twice it acts once.
    key = forms.UUIDField(widget=forms.HiddenInput)
    rupees = forms.DecimalField(
        label="Or another amount (₹)", required=False, min_value=Decimal("0.01"), decimal_places=2,
        max_digits=12,
    )  # fmt: skip
    field_order = ("rupees", "reason")

    def __init__(self, orders: Sequence[Order], data: Any = None) -> None:
        self.left = left_of(orders[0]) if orders else 0
        super().__init__(data, initial={"seen_left": self.left, "key": uuid4()})
        self.lines = {f"units-{line.pk}": line for line in _lines(orders)}
        for name, line in self.lines.items():
            self.fields[name] = forms.IntegerField(
                label=f"Units of {line.name}",
                required=False,
                min_value=0,
                max_value=kept(line),
                help_text=f"{kept(line)} of {line.quantity}, {inr(line.unit_paise)} each",
            )
        self.order_fields([*self.lines, "rupees", "reason", "seen_left", "key"])

    def of_lines(self) -> Iterator[Part]:
        for name, line in self.lines.items():
            if units := self.cleaned_data.get(name):
                yield Part(units * line.unit_paise, line, units)

    def parts(self) -> list[Part]:
        rupees = self.cleaned_data.get("rupees")
        return [*self.of_lines(), *([Part(int(rupees * 100))] if rupees else [])]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        parts = self.parts()
        if not parts and not self.errors:
            raise forms.ValidationError("Give the units that are refunded, or an amount.")
        if cleaned.get("rupees") and len(parts) > 1:
            raise forms.ValidationError("Give units or an amount, not both.")
        if sum(part.paise for part in parts) > self.left:
            raise forms.ValidationError(f"Only {inr(self.left)} of it can still be refunded.")
        return cleaned


def _lines(orders: Sequence[Order]) -> list[OrderLine]:
    return [line for order in orders for line in order.order_lines.all() if kept(line)]


def kept(line: OrderLine) -> int:
    """The units of a line that were not refunded."""
    return line.quantity - restocking.refunded(line)


def _units_of(comeback: restocking.Comeback) -> forms.IntegerField:
    """Filled in if it is known how many come back."""
    line, most = comeback.line, comeback.most
    known = max(restocking.refunded(line) - comeback.back, 0)
    said = f"{most} refunded" if known == most else f"At most {most}: the refund named no units"
    return forms.IntegerField(
        label=f"Units of {line.name}",
        required=False,
        min_value=0,
        max_value=most,
        initial=known or None,
        help_text=f"{said}. To {line.reservation.inventory.warehouse}",
    )
