"""What forms say about a value, in the shop's words instead of Django's."""

from collections.abc import Mapping

from django import forms
from django.core import validators
from django.db import models

REQUIRED = "Fill this in."

_OF_FIELDS: Mapping[type[forms.Field], Mapping[str, str]] = {
    forms.Field: {"required": REQUIRED},
    forms.ChoiceField: {"required": "Choose one.", "invalid_choice": "Choose one of the list."},
    forms.ModelChoiceField: {
        "required": "Choose one.",
        "invalid_choice": "Choose one of the list.",
    },
    forms.MultipleChoiceField: {
        "required": "Choose one or more.",
        "invalid_choice": "Choose from the list.",
    },
    forms.FileField: {
        "required": "Choose a file.",
        "missing": "No file came with the form. Choose it again.",
        "empty": "The file is empty.",
    },
    forms.DateField: {"invalid": "This is not a date, such as 2026-11-27."},
    forms.DateTimeField: {"invalid": "This is not a date and a time."},
}
_OF_VALIDATORS: Mapping[type[validators.BaseValidator], str] = {
    validators.MinValueValidator: "At least %(limit_value)s.",
    validators.MaxValueValidator: "At most %(limit_value)s.",
    validators.MinLengthValidator: "At least %(limit_value)d characters: it has %(show_value)d.",
    validators.MaxLengthValidator: "At most %(limit_value)d characters: it has %(show_value)d.",
}


def speak() -> None:
    for field, messages in _OF_FIELDS.items():
        field.default_error_messages = {**field.default_error_messages, **messages}
    for validator, message in _OF_VALIDATORS.items():
        validator.message = message
    validators.DecimalValidator.messages = {
        **validators.DecimalValidator.messages,
        "max_digits": "At most %(max)s digits.",
        "max_decimal_places": "At most %(max)s digits after the point.",
        "max_whole_digits": "At most %(max)s digits before the point.",
    }
    validators.ProhibitNullCharactersValidator.message = "It has a character that no text has."
    validators.validate_slug.message = "Only letters, digits, hyphens and underscores."
    models.Field.default_error_messages = {
        **models.Field.default_error_messages,
        "unique": "Another one has this %(field_label)s.",
        "blank": REQUIRED,
        "null": REQUIRED,
    }
