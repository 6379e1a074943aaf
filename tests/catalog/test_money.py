import pytest

from catalog.templatetags.money import inr, rupees


@pytest.mark.parametrize(
    ("paise", "shown"),
    [
        (100, "₹ 1"),
        (99_900, "₹ 999"),
        (1_245_000, "₹ 12,450"),
        (1_245_050, "₹ 12,450.50"),
        (12_345_678_900, "₹ 12,34,56,789"),
    ],
)
def test_a_price_is_grouped_the_indian_way(paise, shown) -> None:
    assert inr(paise) == shown.replace(" ", "\N{NO-BREAK SPACE}")


def test_programs_read_a_price_in_rupees_with_two_places() -> None:
    assert rupees(1_245_000) == "12450.00"
