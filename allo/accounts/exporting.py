"""All that the shop knows about an account's person, as JSON (`docs/privacy.md`).

Left out is what gives access: session keys, codes, signed links, digests of cookies. So is what
others wrote for themselves, such as the reasons of staff.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, QuerySet

from allo.accounts import persons
from allo.accounts.models import Account
from allo.codes.models import EmailCode
from checkout import contacts, mail
from checkout.models import Address, Charge, Payment
from checkout.models.address import SAVED
from checkout.models.order_triggers import BUYER, SELLER, TIMES
from reservations.models import AdoptedHolder

AT_ONCE = 500

Rows = Iterable[Mapping[str, Any]]

RESERVATION = (
    "id", "name", "quantity", "unit_paise", "status", "withdrawn", "address", "around",
    "created_at", "expires_at", "ended_at", "renewals",
)  # fmt: skip
CONTACT = ("reservation_id", *contacts.FIELDS, "changed_at")
ORDER = (
    "number", "state", "total_paise", "shipping_paise", "shipping_gst_percent",
    "shipping_gst_paise", "invoice_number", *SELLER, "opened_at", *TIMES, *BUYER,
)  # fmt: skip
LINE = (
    "name", "quantity", "unit_paise", "gst_percent", "gst_paise", "reservation_id", "shipped_at",
    "carrier", "tracking",
)  # fmt: skip
PAYMENT = ("provider", "created_at", "closed_at")
CHARGE = ("provider", "reference", "amount", "currency", "fact", "decision", "created_at")
REFUND = ("amount", "units", "state", "created_at")
EVENT = ("what", "at")
ENTRY = (
    "id", "product__name", "warehouse__name", "quantity", "exactly", "email", "network",
    "created_at", "confirmed_at", "waiting_since", "offered_at", "offered_units", "offer_id",
    "ended_at", "ended_as",
)  # fmt: skip
MESSAGE = ("kind", "to", "created_at", "sent_at")
CODE = ("purpose", "email", "network", "asked_at", "used_at")
LOG = ("attempt_time", "logout_time", "ip_address", "user_agent")
SIGN_IN = ("device", "at")


def stream(account: Account) -> Iterator[str]:
    """The text, piece by piece, without all of it in memory."""
    encoder = DjangoJSONEncoder(ensure_ascii=False, indent=1)
    before = "{\n"
    for name, section in SECTIONS.items():
        yield f"{before}{json.dumps(name)}: "
        found = section(account)
        yield from (
            encoder.iterencode(found) if isinstance(found, Mapping) else _list(encoder, found)
        )
        before = ",\n"
    yield "\n}\n"


def _list(encoder: json.JSONEncoder, rows: Rows) -> Iterator[str]:
    before = "["
    for row in rows:
        yield f"{before}{encoder.encode(row)}"
        before = ",\n"
    yield "]" if before != "[" else "[]"


# --- sections -----------------------------------------------------------------------------------


def _profile(account: Account) -> Mapping[str, Any]:
    return {"email": account.user.email, "since": account.created_at}


def _sign_ins(account: Account) -> Rows:
    return _values(account.sign_ins.all(), SIGN_IN)


def _browsers(account: Account) -> Rows:
    """Without their names, which are digests of their cookies."""
    return _values(AdoptedHolder.objects.filter(account=account.holder), ("created_at",))


def _access_log(account: Account) -> Rows:
    return _values(persons.log_of(account.user).order_by("attempt_time"), LOG)


def _codes(account: Account) -> Rows:
    return _values(EmailCode.objects.filter(email_key=account.email_key), CODE)


def _addresses(account: Account) -> Rows:
    return _values(Address.objects.filter(account=account.pk), (*SAVED, "used_at"))


def _reservations(account: Account) -> Rows:
    rows = persons.reservations_of(account).select_related("inventory__warehouse")
    for row in _each(rows.order_by("created_at")):
        yield {**_row(row, RESERVATION), "warehouse": row.inventory.warehouse.name}


def _waiting(account: Account) -> Rows:
    return _values(persons.entries_of(account).order_by("created_at"), ENTRY)


def _contacts(account: Account) -> Rows:
    return _values(persons.contacts_of(account).order_by("changed_at"), CONTACT)


def _orders(account: Account) -> Rows:
    for order in _each(persons.orders_of(account).order_by("opened_at")):
        yield {
            **_row(order, ORDER),
            "lines": list(order.order_lines.order_by("pk").values(*LINE)),
            "payments": [_payment(each) for each in order.payments.order_by("created_at")],
            "events": list(order.order_events.order_by("pk").values(*EVENT)),
            "mails": list(mail.messages_of(order).values(*MESSAGE)),
        }


def _payment(payment: Payment) -> Mapping[str, Any]:
    charges = payment.charges.order_by("created_at")
    return {**_row(payment, PAYMENT), "charges": [_charge(each) for each in charges]}


def _charge(charge: Charge) -> Mapping[str, Any]:
    refunds = list(charge.refunds.order_by("created_at").values(*REFUND))
    return {**_row(charge, CHARGE), "refunds": refunds}


def _messages(account: Account) -> Rows:
    return _values(persons.messages_of(account).order_by("created_at"), MESSAGE)


def _values(rows: QuerySet[Any], fields: Iterable[str]) -> Rows:
    return _each(rows.values(*fields))


def _each(rows: QuerySet[Any]) -> Iterator[Any]:
    """All of these rows, `AT_ONCE` of them in memory."""
    keys = list(rows.values_list("pk", flat=True))
    for first in range(0, len(keys), AT_ONCE):
        yield from rows.filter(pk__in=keys[first : first + AT_ONCE])


def _row(row: Model, fields: Iterable[str]) -> dict[str, Any]:
    return {field: getattr(row, field) for field in fields}


SECTIONS: Mapping[str, Callable[[Account], Rows | Mapping[str, Any]]] = {
    "profile": _profile,
    "sign_ins": _sign_ins,
    "browsers": _browsers,
    "access_log": _access_log,
    "codes": _codes,
    "addresses": _addresses,
    "reservations": _reservations,
    "waiting_lists": _waiting,
    "contacts": _contacts,
    "orders": _orders,
    "mails": _messages,
}
