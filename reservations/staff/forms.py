from django import forms

from allo.web.fields import LineField
from reservations.models import Reservation
from reservations.staff.verbs import MOST_MINUTES


class ReasonForm(forms.Form):
    """The reason, stored with the person and the time."""

    reason = LineField(
        max_length=200,
        widget=forms.TextInput({"autocomplete": "off"}),
        error_messages={"required": "Give the reason. It is stored with your name."},
        help_text="Kept for ever, with your name. Do not name the shopper.",
    )


class ReleaseForm(ReasonForm):
    cause = forms.TypedChoiceField(
        label="What the shopper reads",
        choices=Reservation.Cause,
        coerce=Reservation.Cause,
        required=False,
        initial=Reservation.Cause.OTHER,
        empty_value=Reservation.Cause.OTHER,
    )
    field_order = ("cause", "reason")


class ExtendForm(ReasonForm):
    minutes = forms.IntegerField(
        label="Minutes more", min_value=1, max_value=MOST_MINUTES, initial=10
    )
    field_order = ("minutes", "reason")
