"""Names and other text that is shown: what of it is refused, and what is left out."""

import re
import unicodedata

from django.core.exceptions import ValidationError

# Characters whose category is a letter or sign but that are invisible.
BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
# Controls, format characters, separators, and combining marks.
INVISIBLE = ("Cc", "Cf", "Cs", "Mc", "Me", "Mn", "Zl", "Zp", "Zs")

# Ends of lines and other controls.
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# What turns the direction of the text around it, as a mark after a carrier's name turns the number
# that follows, and marks of files. The joiners within words of many scripts are none of these.
TURNING = "\u061c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
# Code points that are no characters: programs that read a text with them may refuse it.
NO_CHARACTERS = "\ufdd0-\ufdef" + "".join(
    chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
)
UNREAD = re.compile(f"[{TURNING}{NO_CHARACTERS}]")

# The longest line that is stored, if nothing else is said.
LONGEST = 255
# Characters that Unicode composes to one, at the most.
COMPOSED = 4


def one_line(text: str, longest: int = LONGEST) -> str:
    """The text as others read it beside other text: on one line, in its own direction, and in
    Unicode's composed form, so that the same name is the same text on every device.

    What cannot fit into `longest` characters is cut, but stays longer than them: composing many
    marks on one letter takes time that grows with the square of their number."""
    plain = UNREAD.sub("", CONTROLS.sub(" ", text)).strip()
    return unicodedata.normalize("NFC", plain[: COMPOSED * longest + 1])


def name_is_visible(name: str) -> None:
    """Refuses a name of only spaces, zero-width and direction characters: no page could show it."""
    if not is_visible(name):
        raise ValidationError("Give a name that can be seen: this one has no visible character.")


def text_is_visible(text: str) -> None:
    """The same for text that is no name."""
    if not is_visible(text):
        raise ValidationError("Write something that can be seen: this has no visible character.")


def is_visible(text: str) -> bool:
    return any(_is_visible(character) for character in UNREAD.sub("", text))


def _is_visible(character: str) -> bool:
    return unicodedata.category(character) not in INVISIBLE and character not in BLANK
