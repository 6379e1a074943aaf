from decimal import Decimal
from functools import lru_cache

from babel.numbers import format_currency
from django import template

register = template.Library()


@register.filter
@lru_cache(maxsize=4096)
def inr(paise: int) -> str:
    """₹ 12,450 or ₹ 12,450.50: with Indian digit grouping; paise only if there are any."""
    pattern = "¤\N{NO-BREAK SPACE}#,##,##0.00" if paise % 100 else "¤\N{NO-BREAK SPACE}#,##,##0"
    amount = Decimal(paise) / 100
    return format_currency(amount, "INR", pattern, locale="en_IN", currency_digits=False)


@register.filter
def to_the_paisa(paise: int) -> str:
    """12,450.00, for a table of amounts."""
    return format_currency(
        Decimal(paise) / 100, "INR", "#,##,##0.00", locale="en_IN", currency_digits=False
    )


def in_rupees(paise: int) -> Decimal:
    """12450.00 as a number, for a sheet."""
    return Decimal(paise).scaleb(-2)


@register.filter
def rupees(paise: int) -> str:
    """12450.00, for programs."""
    return f"{Decimal(paise) / 100:.2f}"
