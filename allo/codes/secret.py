"""The code and the signed link of a row. They are in the mail and nowhere else."""

from uuid import UUID

from django.core.signing import BadSignature, Signer
from django.utils.crypto import constant_time_compare, salted_hmac

DIGITS = 6

_signer = Signer(salt="allo.codes.link")


def code_of(row: UUID) -> str:
    made = salted_hmac("allo.codes.code", str(row), algorithm="sha256").digest()
    return f"{int.from_bytes(made) % 10**DIGITS:0{DIGITS}d}"


def is_code_of(row: UUID, digits: str) -> bool:
    return constant_time_compare(code_of(row), digits)


def key_of(row: UUID) -> str:
    return _signer.sign(str(row))


def row_of(key: str) -> UUID | None:
    try:
        return UUID(_signer.unsign(key))
    except BadSignature:
        return None
