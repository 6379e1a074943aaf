"""What a buyer types: who buys, and where it is sent."""

import re
import unicodedata
from functools import lru_cache
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils.safestring import SafeString
from localflavor.in_.in_states import STATE_CHOICES

from allo.codes.typed import CodeField
from allo.outbox.fields import MailField
from allo.web.fields import LineField
from allo.web.names import one_line
from checkout import contacts, phones
from checkout.contacts import Typed
from checkout.models import Contact, Order
from checkout.models.order_triggers import ADDRESS, BUYER
from checkout.orders.drafts import Buyer

REGIONS = [("", "Choose one"), *sorted(STATE_CHOICES, key=lambda choice: choice[1])]
_CODES = {letters for letters, _ in REGIONS}
UNKNOWN = "?"
# What an address needs; `line2` may stay empty.
NEEDED = ("line1", "city", "region", "pin")


class PhoneField(forms.CharField):
    """A telephone number of any country."""

    def clean(self, value: Any) -> str:
        if number := phones.stored(super().clean(value)):
            return number
        raise ValidationError("This is not a telephone number, such as 98450 12345.")


class PinField(forms.RegexField):
    """A PIN code, stored as 560001. Keyboards add a space at its end, and some write the digits of
    another script."""

    def __init__(self, **more: Any) -> None:
        super().__init__(r"^[0-9]{6}\Z", **more)

    def to_python(self, value: Any) -> str:
        typed = re.sub(r"[\s-]", "", super().to_python(value) or "")
        return "".join(str(unicodedata.decimal(sign, sign)) for sign in typed)


def _text(field: str, autocomplete: str, **more: Any) -> LineField:
    column: Any = Order._meta.get_field(field)
    return LineField(
        max_length=column.max_length,
        # So that the text is shown in the direction of its script.
        widget=forms.TextInput({"autocomplete": autocomplete, "dir": "auto"}),
        **more,
    )


class RegionSelect(forms.Select):
    """Its options take as long to render as all other fields of the form, so it is rendered once
    for each selected state."""

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, *_: Any, **__: Any
    ) -> SafeString:
        every = self.build_attrs(self.attrs, attrs)
        chosen = value or ""
        # An invalid value selects nothing, and is not cached, as it may be long.
        known = chosen if chosen in _CODES else UNKNOWN
        return _region_options(name, known, tuple(every.items()))


@lru_cache(maxsize=256)
def _region_options(name: str, value: str, attrs: tuple[tuple[str, Any], ...]) -> SafeString:
    return forms.Select(dict(attrs), choices=REGIONS).render(name, value)


class BuyerForm(forms.Form):
    """The buyer, and the address unless the order is collected at the warehouse."""

    name = _text("name", "name")
    email = MailField()
    phone = PhoneField(
        label="Telephone",
        max_length=40,
        widget=forms.TextInput({"autocomplete": "tel", "type": "tel"}),
    )
    delivery = forms.ChoiceField(
        label="How it reaches you",
        choices=Contact.Delivery,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one of the two."},
    )
    line1 = _text(
        "line1",
        "address-line1",
        label="Address",
        required=False,
    )
    line2 = _text("line2", "address-line2", label="Flat, landmark (optional)", required=False)
    city = _text(
        "city",
        "address-level2",
        label="Town or city",
        required=False,
    )
    region = forms.ChoiceField(
        label="State",
        # A form copies its fields, but not what a function returns.
        choices=lambda: REGIONS,
        required=False,
        widget=RegionSelect({"autocomplete": "address-level1"}),
    )
    pin = PinField(
        label="PIN code",
        required=False,
        widget=forms.TextInput({"autocomplete": "postal-code", "inputmode": "numeric"}),
        error_messages={"invalid": "A PIN code has six digits, such as 560001."},
    )
    remember = forms.BooleanField(label="Save this address in my account", required=False)

    # See `checkout.proving`.
    code = CodeField(label="Code from the mail", required=False)

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if not self.is_bound:
            # When htmx refreshes the page, these fields keep what is being typed.
            for field in self.fields.values():
                field.widget.attrs["hx-preserve"] = "true"

    def clean_pin(self) -> str:
        pin: str = self.cleaned_data["pin"]
        if pin.startswith("0"):
            raise ValidationError("No PIN code begins with 0.")
        return pin

    def clean(self) -> dict[str, Any]:
        """An order that is collected needs no address, and stores none."""
        if self.cleaned_data.get("delivery") == Contact.Delivery.COLLECT:
            for field in ADDRESS:
                self.cleaned_data[field] = ""
                self.errors.pop(field, None)
            return self.cleaned_data
        for field in NEEDED:
            if not self.cleaned_data.get(field) and field not in self.errors:
                self.add_error(field, self.fields[field].error_messages["required"])
        return self.cleaned_data

    def buyer(self) -> Buyer:
        """Of a valid form."""
        typed = self.cleaned_data
        return Buyer(**{field: typed[field] for field in BUYER})

    def typed(self, reservation_id: UUID) -> Typed:
        """What was typed, valid or not."""
        return Typed(reservation_id, **{name: self._typed(name) for name in contacts.FIELDS})

    def _typed(self, name: str) -> str:
        column: Any = Contact._meta.get_field(name)
        longest = column.max_length
        return one_line(str(self.data.get(name, "")), longest)[:longest]


class AddressForm(BuyerForm):
    """An address of an account: always whole."""

    email = delivery = remember = None  # type: ignore[assignment]
