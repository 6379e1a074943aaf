"""A validator for names."""

import unicodedata

from django.core.exceptions import ValidationError

# Characters whose category is a letter or sign but that are invisible.
BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
# Controls, format characters, separators, and combining marks.
INVISIBLE = ("Cc", "Cf", "Cs", "Mc", "Me", "Mn", "Zl", "Zp", "Zs")


def name_is_visible(name: str) -> None:
    """Refuses a name of only spaces, zero-width and direction characters: no page could show it."""
    if not any(_is_visible(character) for character in name):
        raise ValidationError("Give a name that can be seen: this one has no visible character.")


def _is_visible(character: str) -> bool:
    return unicodedata.category(character) not in INVISIBLE and character not in BLANK
