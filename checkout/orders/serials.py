"""The numbers of invoices: consecutive in each of India's financial years, with none missing."""

from datetime import datetime

from django.db import connection
from django.utils import timezone

from allo.postgresql.rows import write
from checkout.models import Order

APRIL = 4
# The row's lock is kept until the transaction ends, so the next one counts from what was committed,
# and a number that was rolled back is used again.
NEXT = """
    INSERT INTO checkout_invoicecounter AS counter (year, last) VALUES (%s, 1)
    ON CONFLICT (year) DO UPDATE SET last = counter.last + 1 RETURNING last
"""


def give_number(order: Order) -> None:
    """Gives a number to an order that has just been paid. It locks the counter of the year, rank 7:
    the last lock of its transaction."""
    assert order.paid_at
    year = financial_year(order.paid_at)
    with connection.cursor() as cursor:
        [serial] = cursor.execute(NEXT, [year]).fetchone()
    write(order, invoice_number=written(year, serial))


def financial_year(at: datetime) -> int:
    """The year in which it begins. It lasts from April to March, in the shop's time zone."""
    day = timezone.localtime(at)
    return day.year if day.month >= APRIL else day.year - 1


def written(year: int, serial: int) -> str:
    """For example AL26-27/000123."""
    return f"AL{year % 100:02}-{(year + 1) % 100:02}/{serial:06}"
