"""What is sent when a page is opened comes from the payment alone: a retry never differs."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from checkout.payments.stripe_data import session_parameters
from tests.payments.conftest import new_invitation

END = datetime(2026, 11, 26, 15, 1, 30, tzinfo=UTC)


def test_a_page_ends_half_an_hour_after_the_shop_closes_it_and_says_until_when_one_pays() -> None:
    invitation = new_invitation(expires_at=END)
    sent: Any = session_parameters(invitation, ZoneInfo("Asia/Kolkata"))
    assert sent == session_parameters(invitation, ZoneInfo("Asia/Kolkata"))
    assert sent["expires_at"] == (END + timedelta(minutes=31)).timestamp()
    assert sent["custom_text"] == {
        "submit": {"message": "Pay by 20:31 IST; what you ordered is held until then."}
    }
    assert sent["metadata"] == {
        "payment_id": str(invitation.payment_id), "pay_by": "2026-11-26T15:01:30+00:00",
    }  # fmt: skip


def test_what_is_sent_costs_the_total_and_has_no_address_that_was_not_given() -> None:
    invitation = new_invitation(email="", shipping_paise=0)
    sent = session_parameters(invitation, UTC)
    assert "customer_email" not in sent
    assert [line["price_data"]["product_data"]["name"] for line in sent["line_items"]] == [
        "Tidal <lamp> & shade", "Café ₹ tray",
    ]  # fmt: skip
    costs = [line["price_data"]["unit_amount"] * line["quantity"] for line in sent["line_items"]]
    assert sum(costs) == invitation.total_paise
