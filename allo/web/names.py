"""What may be called a name."""

import unicodedata

from django.core.exceptions import ValidationError

# Letters and signs by their category that nevertheless show nothing.
BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
# Controls, format characters, separators, and marks that need a letter to stand on.
INVISIBLE = ("Cc", "Cf", "Cs", "Mc", "Me", "Mn", "Zl", "Zp", "Zs")


def name_is_visible(name: str) -> None:
    """A name of spaces, zero-width and direction characters alone is on no page to be seen."""
    if not any(_is_visible(character) for character in name):
        raise ValidationError("Give a name that can be seen: this one has no visible character.")


def _is_visible(character: str) -> bool:
    return unicodedata.category(character) not in INVISIBLE and character not in BLANK
