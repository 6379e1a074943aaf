"""The numbers of invoices: consecutive in each of India's financial years, with none missing."""

import re
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from allo.postgresql.rows import write
from checkout.models import InvoiceCounter, Order

APRIL = 4
WRITTEN = re.compile(r"AL([0-9]{2})-[0-9]{2}/([0-9]{6,8})")
# More at once is a slip of the finger: numbers that are skipped cannot be given any more.
MOST_SKIPPED = 1000
# The row's lock is kept until the transaction ends, so the next one counts from what was committed,
# and a number that was rolled back is used again.
NEXT = """
    INSERT INTO checkout_invoicecounter AS counter (year, last) VALUES (%s, 1)
    ON CONFLICT (year) DO UPDATE SET last = counter.last + 1 RETURNING last
"""


def give_number(order: Order) -> None:
    """Gives a number to an order that has just been paid, with the seller of now. It locks the
    counter of the year, rank 7: the last lock of its transaction."""
    assert order.paid_at
    year = financial_year(order.paid_at)
    with connection.cursor() as cursor:
        [serial] = cursor.execute(NEXT, [year]).fetchone()
    write(
        order,
        invoice_number=written(year, serial),
        seller_name=settings.SELLER_NAME,
        seller_address=settings.SELLER_ADDRESS,
        seller_gstin=settings.SELLER_GSTIN,
    )


@transaction.atomic
def skip_to(number: str) -> int:
    """Counts up to this number, which was given before the database was restored; returns how many
    it skips. Raises `ValueError`."""
    found = WRITTEN.fullmatch(number)
    year, last = (2000 + int(found[1]), int(found[2])) if found else (0, 0)
    if number != written(year, last):
        raise ValueError(f"{number} is no number of an invoice, such as AL26-27/000123.")
    counter = InvoiceCounter.objects.select_for_update(no_key=True).filter(year=year).first()
    serial = before = counter.last if counter else 0
    if not before < last <= before + MOST_SKIPPED:
        raise ValueError(
            f"The last number of that year is {written(year, before)}. It can be counted up by"
            f" {MOST_SKIPPED} at once."
        )
    with connection.cursor() as cursor:
        # One by one, as the database allows nothing else.
        while serial < last:
            [serial] = cursor.execute(NEXT, [year]).fetchone()
    return last - before


def financial_year(at: datetime) -> int:
    """The year in which it begins. It lasts from April to March, in the shop's time zone."""
    day = timezone.localtime(at)
    return day.year if day.month >= APRIL else day.year - 1


def written(year: int, serial: int) -> str:
    """For example AL26-27/000123."""
    return f"AL{year % 100:02}-{(year + 1) % 100:02}/{serial:06}"
