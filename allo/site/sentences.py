"""What forms and the admin say, in the shop's words instead of Django's."""

from collections.abc import Mapping

from django import forms
from django.core import validators
from django.db import models
from django.utils import translation

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
# Django's sentences by its own spelling of them, wherever it says them. A number of digits or of
# characters is the validators' affair, above. What fields of Django's models say about themselves
# is left: it is in their migrations.
SENTENCES: Mapping[str, str] = {
    # Fields
    "Enter a number.": "This is not a number.",
    "Enter a valid value.": "This cannot be read.",
    "Enter a valid time.": "This is not a time, such as 14:30.",
    "Enter a valid email address.": "This is not an e-mail address, such as name@example.com.",
    "Enter a valid URL.": "This is not an address, such as https://example.com/.",
    "Enter a list of values.": "Choose from the list.",
    "“%(pk)s” is not a valid value.": "Choose from the list.",
    "Value %(value)r is not a valid choice.": "Choose one of the list.",
    "%(datetime)s couldn’t be interpreted in time zone %(current_timezone)s; it may be ambiguous"
    " or it may not exist.": "Clocks are changed at this time: choose another one.",
    "Enter a valid UUID.": "The form is not as it was shown. Reload the page and fill it in again.",
    "(Hidden field %(name)s) %(error)s": "%(error)s",
    "ManagementForm data is missing or has been tampered with. Missing fields: %(field_names)s. You"
    " may need to file a bug report if the issue persists.": "The form came incomplete. Reload the"
    " page, and fill it in again.",
    "Ensure this filename has at most %(max)d character (it has %(length)d).": "The file’s name is"
    " too long: at most %(max)d characters, and it has %(length)d.",
    "Ensure this filename has at most %(max)d characters (it has %(length)d).": "The file’s name is"
    " too long: at most %(max)d characters, and it has %(length)d.",
    "Constraint “%(name)s” is violated.": "The database refuses this, by its rule “%(name)s”.",
    "Please correct the error below.": "Nothing was saved. Please correct what is marked below.",
    "Please correct the errors below.": "Nothing was saved. Please correct what is marked below.",
    # What was done
    "The {name} “{obj}” was added successfully.": "{obj} was added.",
    "You may edit it again below.": "Go on with it below.",
    "The {name} “{obj}” was added successfully. You may add another {name} below.": "{obj} was"
    " added. Add the next one below.",
    "The {name} “{obj}” was changed successfully.": "{obj} was saved.",
    "The {name} “{obj}” was changed successfully. You may edit it again below.": "{obj} was saved."
    " Go on with it below.",
    "The {name} “{obj}” was changed successfully. You may add another {name} below.": "{obj} was"
    " saved. Add the next one below.",
    "The %(name)s “%(obj)s” was deleted successfully.": "%(obj)s was deleted.",
    "Successfully deleted %(count)d %(items)s.": "%(count)d %(items)s deleted.",
    "%(count)s %(name)s was changed successfully.": "%(count)s %(name)s was saved.",
    "%(count)s %(name)s were changed successfully.": "%(count)s %(name)s were saved.",
    "Items must be selected in order to perform actions on them. No items have been"
    " changed.": "Tick what it is for. Nothing was changed.",
    "No action selected.": "Choose what to do. Nothing was changed.",
    "%(name)s with ID “%(key)s” doesn’t exist. Perhaps it was deleted?": "There is no %(name)s"
    " “%(key)s”. It may have been deleted.",
    "This object doesn’t have a change history. It probably wasn’t added via this admin"
    " site.": "Nobody has changed it here.",
    # Deleting
    "Delete multiple objects": "Delete several",
    "Deleting the %(object_name)s '%(escaped_object)s' would result in deleting related objects,"
    " but your account doesn't have permission to delete the following types of"
    " objects:": "What goes with %(escaped_object)s your role may not delete:",
    "Deleting the selected %(objects_name)s would result in deleting related objects, but your"
    " account doesn't have permission to delete the following types of objects:": "What goes with"
    " these %(objects_name)s your role may not delete:",
    "Summary": "How many",
    "Objects": "Which",
    # Lists
    "Home": "Today",
    "%(app)s administration": "%(app)s",
    "Select this object for an action - {}": "Select {}",
    "Select all objects on this page for an action": "Select all on this page",
    "Click here to select the objects across all pages": "Also those on the other pages",
    # Signing in
    "Please enter the correct %(username)s and password for a staff account. Note that both fields"
    " may be case-sensitive.": "This is not the name and the password of a staff account. Capitals"
    " matter in both.",
    "Log out": "Sign out",
    # Users
    "After you’ve created a user, you’ll be able to edit more user options.": "Once the user is"
    " saved, its role and its e-mail address are asked for.",
    "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_"
    " characters.": "Only letters, digits, and @ . + - _",
    "Raw passwords are not stored, so there is no way to see the user’s password.": "Nobody can"
    " see a password: the shop does not store it.",
    "Please enter your old password, for security’s sake, and then enter your new password twice"
    " so we can verify you typed it in correctly.": "Your old password, and the new one twice, so"
    " that a slip is noticed.",
    "Your old password was entered incorrectly. Please enter it again.": "This is not your old"
    " password.",
    "The two password fields didn’t match.": "The two passwords differ.",
    "Enter the same password as before, for verification.": "The same once more.",
    "Password-based authentication": "Sign in by password",
    "Enable password-based authentication": "Set the password",
    "Disable password-based authentication": "Remove the password",
    "Enable password-based authentication for this user by setting a password.": "Set a password,"
    " and the user can sign in.",
    "This action will <strong>enable</strong> password-based authentication for this user.": "With"
    " it, the user can sign in.",
    "Password-based authentication was disabled.": "The password was removed: this user cannot sign"
    " in any more.",
    "Password changed successfully.": "The password was changed.",
    "Conflicting form data submitted. Please try again.": "The form says two things at once. Fill"
    " it in again.",
    "Invalid password format or unknown hashing algorithm.": "The stored password cannot be read:"
    " set another.",
    "Whether the user will be able to authenticate using a password or not. If disabled, they may"
    " still be able to authenticate using other backends, such as Single Sign-On or"
    " LDAP.": "Disabled, the user cannot sign in.",
    "Your password must contain at least %(min_length)d characters.": "At least %(min_length)d"
    " characters.",
    "This password is too short. It must contain at least %d characters.": "It needs at least %d"
    " characters.",
    "This password is too common.": "It is one that many people use.",
    "This password is entirely numeric.": "It has digits alone.",
    "Your password can’t be too similar to your other personal information.": "Not like your name"
    " or e-mail address.",
    "Your password can’t be a commonly used password.": "Not one that many people use.",
    "Your password can’t be entirely numeric.": "Not of digits alone.",
    "Logged out": "Signed out",
    "Log in again": "Sign in again",
    "Thanks for spending some quality time with the web site today.": "You are signed out.",
}


def said(sentence: str) -> str:
    return SENTENCES.get(sentence, sentence)


def _counted(one: str, many: str, number: float) -> str:
    return said(one if number == 1 else many)


def speak() -> None:
    # While USE_I18N is off, Django looks its sentences up here, and finds them as they are.
    lookup = translation._trans  # type: ignore[attr-defined]
    lookup.gettext, lookup.ngettext = said, _counted
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
