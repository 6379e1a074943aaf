"""Validators for names and other text that is shown."""

import unicodedata

from django.core.exceptions import ValidationError

# Characters whose category is a letter or sign but that are invisible.
BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
# Controls, format characters, separators, and combining marks.
INVISIBLE = ("Cc", "Cf", "Cs", "Mc", "Me", "Mn", "Zl", "Zp", "Zs")


def name_is_visible(name: str) -> None:
    """Refuses a name of only spaces, zero-width and direction characters: no page could show it."""
    if not is_visible(name):
        raise ValidationError("Give a name that can be seen: this one has no visible character.")


def text_is_visible(text: str) -> None:
    """The same for text that is no name."""
    if not is_visible(text):
        raise ValidationError("Write something that can be seen: this has no visible character.")


def is_visible(text: str) -> bool:
    return any(_is_visible(character) for character in text)


def _is_visible(character: str) -> bool:
    return unicodedata.category(character) not in INVISIBLE and character not in BLANK
