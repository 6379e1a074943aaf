"""Telephone numbers: how people type them, and how they are stored."""

import phonenumbers


def stored(typed: str) -> str | None:
    """As +919845012345; None if it is no telephone number. Without a country code it is one of
    India."""
    try:
        number = phonenumbers.parse(typed, "IN")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
