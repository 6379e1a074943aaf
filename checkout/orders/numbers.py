"""Order numbers: short enough to be read out, and impossible to guess."""

import secrets

# Crockford's base 32: without I, L, O and U, which are mistaken for others.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISTAKEN = str.maketrans("ILOU", "110V")


def new_number() -> str:
    """For example "AL-7K3M-9QTX": 40 random bits. Unique by the database's constraint."""
    drawn = "".join(secrets.choice(ALPHABET) for _ in range(8))
    return f"AL-{drawn[:4]}-{drawn[4:]}"


def as_written(typed: str) -> str:
    """The number that a person means, written in any case, with any spaces and dashes, with or
    without "AL". Empty, which no order has, for what cannot be a number."""
    plain = "".join(c for c in typed.upper() if c.isascii() and c.isalnum())
    digits = plain.removeprefix("AL").translate(_MISTAKEN)
    return f"AL-{digits[:4]}-{digits[4:]}" if len(digits) == 8 else ""
