"""Holds that ended unpaid: cool-downs of holders, and the share that is left to a network."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.test import Client
from django.utils import timezone
from django.utils.timezone import localtime

from checkout.models import Contact
from reservations import services
from reservations.clock.expiry import expire_due
from reservations.engine.commands import Holder
from reservations.engine.cooling import Cooling, History, Past, cooling, share_left
from reservations.exceptions import CoolingDown, LimitReached
from reservations.models import AdoptedHolder, CooldownLift, Reservation
from reservations.staff import cooldowns
from reservations.staff import verbs as by_staff
from tests.reservations.test_verbs import hold
from tests.shopping import Page, holding, press, press_reserve
from tests.stock import pass_time, stocked

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ROW, OTHER = 1, 2
NETWORK = "192.0.2.1/32"


@pytest.fixture(autouse=True)
def _on(settings) -> None:
    settings.RESERVATION_COOL_DOWN_MINUTES = [5, 30, 120]


# --- the rule -----------------------------------------------------------------------------------


def ended(ago: float, status: str = "expired", *, row: int = ROW, lasted: float = 600, **more):
    """A reservation that ended so many minutes ago, and lasted for so many seconds."""
    at = NOW - timedelta(minutes=ago)
    begun = at - timedelta(seconds=lasted)
    return Past(
        row, status, begun, at, more.get("withdrawn", ""), more.get("provider_failed", False)
    )


PENDING = Past(ROW, "pending", NOW, None, "", provider_failed=False)


@pytest.mark.parametrize(
    ("past", "left"),
    [
        ([], None),
        ([ended(1)], None),
        ([ended(1), PENDING, ended(2)], 4),
        ([ended(6), ended(7)], None),
        ([ended(6), ended(7), ended(8)], 24),
        ([ended(6), ended(7), ended(8), ended(9)], 114),
        ([ended(n) for n in range(6, 14)], 114),
        # Of another product, bought meanwhile, of yesterday.
        ([ended(1), ended(2, row=OTHER)], None),
        ([ended(1), ended(2, "confirmed"), ended(3)], None),
        ([ended(1), ended(2), ended(3, "confirmed"), ended(4)], 4),
        ([ended(1), ended(24 * 60 + 1)], None),
        # Given back by the holder: at once, or after a minute; by staff.
        ([ended(1), ended(2, "released", lasted=59)], None),
        ([ended(1), ended(2, "released", lasted=60)], 4),
        ([ended(1), ended(2, "released", withdrawn="damaged")], None),
        # It could not be paid.
        ([ended(1), ended(2, provider_failed=True)], None),
        ([ended(1), ended(2, "released", provider_failed=True)], None),
    ],
)
def test_after_two_unpaid_holds_one_waits_longer_and_longer(past, left) -> None:
    found = cooling([History(past=past)], [ROW], NOW)
    assert (found and (found.until - NOW) / timedelta(minutes=1)) == left


def test_the_browsers_of_a_shopper_count_together_and_what_staff_lifted_no_more(settings) -> None:
    mine = [History(past=[ended(1)]), History(past=[ended(2)])]
    assert cooling(mine, [ROW], NOW) == Cooling(2, NOW + timedelta(minutes=4))
    lifted = [*mine, History(lifted_at=NOW - timedelta(minutes=1.5))]
    assert cooling(lifted, [ROW], NOW) is None
    settings.RESERVATION_COOL_DOWN_MINUTES = []
    assert cooling(mine, [ROW], NOW) is None


def test_each_ten_unpaid_holds_halve_a_networks_share_down_to_one(settings) -> None:
    assert [share_left(20, n) for n in (0, 9, 10, 20, 30, 40, 60)] == [20, 20, 10, 5, 2, 1, 1]
    settings.RESERVATION_UNPAID_PER_HALVING = 0
    assert share_left(20, 60) == 20


# --- on the shelf -------------------------------------------------------------------------------

on_the_shelf = pytest.mark.django_db


def lapse(row, holder: str, network: str = "", *, swept: bool = True) -> Reservation:
    held = hold(row, 1, holder, network)
    pass_time(601, pk=held.pk)
    if swept:
        expire_due()
    return held


@on_the_shelf
def test_a_shopper_who_let_two_lapse_cools_down_for_that_product_alone() -> None:
    row, there = stocked(9), stocked(9, warehouse="del-01")
    lapse(row, "visitor:a")
    held = hold(there, 1, "visitor:a")
    lapse(row, "visitor:a")
    for again in (
        lambda: hold(row, 1, "visitor:a"),
        lambda: services.change(reservation_id=held.pk, quantity=2),
    ):
        with pytest.raises(CoolingDown) as refused:
            again()
        assert refused.value.unpaid == 2
    last = Reservation.objects.filter(status="expired").latest("ended_at").ended_at
    assert last
    assert refused.value.until == last + timedelta(minutes=5)
    hold(stocked(9, product="reef"), 1, "visitor:a")
    hold(row, 1, "visitor:b")
    # To keep, to renew and to pay is always possible, and after paying the count begins anew.
    services.renew(reservation_id=held.pk)
    services.confirm(reservation_id=held.pk)
    hold(row, 1, "visitor:a")


@on_the_shelf
def test_to_hold_again_at_the_very_end_of_a_hold_is_to_let_it_lapse() -> None:
    row = stocked(9)
    for _ in range(2):
        lapse(row, "visitor:a", swept=False)
    with pytest.raises(CoolingDown):
        hold(row, 1, "visitor:a")


@on_the_shelf
def test_what_staff_or_a_merchant_did_cools_nobody_down(django_user_model) -> None:
    row = stocked(9)
    asha = django_user_model.objects.create_user("asha")
    lapse(row, "visitor:a")
    pass_time(300, pk=(held := hold(row, 1, "visitor:a")).pk)
    by_staff.release(reservation_id=held.pk, actor=asha, reason="It broke")
    hold(row, 1, "visitor:a")
    merchant = Holder("token:1:a", network="token:1", cap=9)
    for _ in range(4):
        services.reserve_in(rows=(row.pk,), quantity=1, holder=merchant)
        pass_time(601, holder=merchant.name)


@on_the_shelf
def test_a_network_keeps_one_unit_whatever_nobody_paid_for_there(settings) -> None:
    settings.RESERVATION_MAX_SHARE = 25
    row = stocked(20)
    for n in range(20):
        if n % 2:
            lapse(row, f"visitor:{n}", NETWORK)
        else:
            pass_time(60, pk=(held := hold(row, 1, f"visitor:{n}", NETWORK)).pk)
            services.release(reservation_id=held.pk)
    hold(row, 1, "visitor:late", NETWORK)
    with pytest.raises(LimitReached) as refused:
        hold(row, 1, "visitor:later", NETWORK)
    assert (refused.value.limit, refused.value.maximum) == ("network_share", 1)
    hold(stocked(20, product="reef"), 5, "visitor:later", NETWORK)
    hold(row, 5, "visitor:elsewhere", "192.0.2.2/32")


@on_the_shelf
def test_a_network_keeps_its_share_if_a_hold_ended_soon_by_staff_unpayable_or_yesterday(
    settings, django_user_model
) -> None:
    settings.RESERVATION_MAX_SHARE, settings.RESERVATION_UNPAID_PER_HALVING = 25, 2
    row = stocked(20)
    lapse(row, "visitor:one", NETWORK)  # with any other it would be halved
    services.release(reservation_id=hold(row, 1, "visitor:soon", NETWORK).pk)
    pass_time(300, pk=(taken := hold(row, 1, "visitor:taken", NETWORK)).pk)
    asha = django_user_model.objects.create_user("asha")
    by_staff.release(reservation_id=taken.pk, actor=asha, reason="It broke")
    services.excuse((unpayable := hold(row, 1, "visitor:unpayable", NETWORK)).pk)
    pass_time(601, pk=unpayable.pk)
    expire_due()
    pass_time(24 * 3600 + 601, pk=(old := hold(row, 1, "visitor:old", NETWORK)).pk)
    lapsed = Reservation.objects.filter(pk=old.pk)
    lapsed.update(status="expired", ended_at=F("expires_at"))
    hold(row, 5, "visitor:late", NETWORK)


@on_the_shelf
def test_the_last_ten_holds_of_two_days_cool_down_until_staff_lift_it_last(
    settings, django_user_model
) -> None:
    settings.RESERVATION_COOL_DOWN_MINUTES = []
    for n in range(10):
        lapse(stocked(9, product=f"reef-{n}"), "visitor:a", swept=False)
    settings.RESERVATION_COOL_DOWN_MINUTES = [5, 30, 120]
    row, *others = (stocked(9, warehouse=f"w-{n}") for n in range(4))
    asha = django_user_model.objects.create_user("asha")
    lift = {"holder": "visitor:a", "reason": "Their bank was down", "actor": asha}
    CooldownLift.objects.create(created_at=timezone.now() - timedelta(hours=3), **lift)
    for each in (row, *others):
        hold(each, 1, "visitor:a")
    pass_time(601 + 80 * 60)
    with pytest.raises(CoolingDown) as refused:
        hold(row, 1, "visitor:a")
    assert refused.value.unpaid == 4
    CooldownLift.objects.create(created_at=timezone.now(), **lift)
    hold(row, 1, "visitor:a")


@on_the_shelf
def test_a_buyer_is_outside_the_networks_limits_and_a_new_account_is_not(settings) -> None:
    settings.RESERVATION_MAX_UNITS_PER_ADDRESS = 2
    row = stocked(20)
    bought = hold(row, 1, "visitor:a", NETWORK)
    services.confirm(reservation_id=bought.pk)
    hold(row, 2, "visitor:b", NETWORK)
    with pytest.raises(LimitReached):
        hold(row, 1, "user:7", NETWORK)
    pass_time(601, holder="visitor:b")
    hold(row, 2, "user:7", NETWORK)
    mine = Holder("user:8", NETWORK, others=("visitor:a",))
    held = services.reserve_in(rows=(row.pk,), quantity=3, holder=mine)
    assert held.address == ""
    services.change(reservation_id=held.pk, quantity=4)


@on_the_shelf
def test_page_and_api_say_why_and_until_when_and_staff_lift_it_with_a_reason(
    client, admin_client
) -> None:
    row = stocked(9)
    for _ in range(2):
        held = holding(client, row)
        Reservation.objects.filter(pk=held.pk).update(created_at=F("created_at") - timedelta(0, 60))
        press(client, held, "cancel")
    answer = press_reserve(client, row)
    assert answer.status_code == 409
    last = Reservation.objects.latest("ended_at").ended_at
    assert last
    until = last + timedelta(minutes=5)
    shown = f"{localtime(until + timedelta(minutes=1)):%H:%M %Z}"
    said = (
        f"2 times lately you held this and did not pay for it. You can hold it again after {shown}"
    )
    assert said in answer.content.decode()
    api = Client(headers={"X-CSRFToken": client.cookies["csrftoken"].value})
    api.cookies = client.cookies
    body = {"product": "tidal", "quantity": 1}
    told = api.post("/api/reservations", body, content_type="application/json").json()
    assert (told["code"], told["until"]) == (
        "cooling_down",
        until.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    )
    lifts = "/admin/reservations/cooldownlift/"
    page = admin_client.get(lifts).content.decode()
    assert held.holder in page
    assert "2 × Tidal unpaid" in page
    assert f'href="{lifts}add/" class="addlink">Lift a cool-down</a>' in page
    for unknown in ("visitor:nobody", "token:1:a", "Tidal", "nobody@example.org"):
        refused = admin_client.post(f"{lifts}add/", {"holder": unknown, "reason": "Mine"})
        assert refused.status_code == 200
        assert "No shopper held anything under this name." in refused.content.decode()
    assert not CooldownLift.objects.exists()
    unsaid = admin_client.post(f"{lifts}add/", {"holder": held.holder, "reason": ""})
    assert unsaid.status_code == 200
    assert "<h1>Lift a cool-down</h1>" in unsaid.content.decode()
    sent = admin_client.post(
        f"{lifts}add/", {"holder": held.holder, "reason": "Their bank was down"}
    )
    assert sent.status_code == 302
    lift = CooldownLift.objects.get()
    assert (lift.actor, lift.reason) == (User.objects.get(username="admin"), "Their bank was down")
    assert "Nobody is cooling down." in admin_client.get(lifts).content.decode()
    assert holding(client, row).status == "pending"


@on_the_shelf
def test_a_cool_down_is_lifted_by_what_a_shopper_who_writes_gives(
    admin_client, django_user_model
) -> None:
    asha = django_user_model.objects.create_user("asha")
    row = stocked(9)
    lapse(row, f"user:{asha.pk}")
    guest, other = lapse(row, "visitor:a"), lapse(row, "visitor:b")
    Contact.objects.create(reservation=guest, email="ravi@example.org")

    def lift(words: str) -> Page:
        form = {"holder": words, "reason": "Their bank was down"}
        page: Page = admin_client.post("/admin/reservations/cooldownlift/add/", form)
        return page

    for words, holder in (
        ("asha", f"user:{asha.pk}"),
        ("Ravi@example.org", "visitor:a"),
        (str(other.pk), "visitor:b"),
    ):
        assert lift(words).status_code == 302
        assert CooldownLift.objects.latest("pk").holder == holder
    Contact.objects.create(reservation=other, email="ravi@example.org")
    refused = lift("ravi@example.org").content.decode()
    assert "Several held under this, such as visitor:" in refused
    assert CooldownLift.objects.count() == 3


@on_the_shelf
def test_staff_see_who_cools_down_whoever_let_most_lapse(settings, monkeypatch) -> None:
    monkeypatch.setattr(cooldowns, "MOST_SHOWN", 2)
    settings.RESERVATION_COOL_DOWN_MINUTES = []
    row = stocked(99)
    # These let the most lapse, and bought some then.
    for name in ("visitor:a", "visitor:b"):
        for _ in range(4):
            lapse(row, name)
        services.confirm(reservation_id=hold(row, 1, name).pk)
    # An account counts together with each of its browsers, and not all of them together.
    for name in ("visitor:c", "user:1", "visitor:d", "visitor:e", "visitor:f", "visitor:f"):
        lapse(row, name)
    for name, account in (("c", 1), ("d", 2), ("e", 2)):
        AdoptedHolder.objects.create(holder=f"visitor:{name}", account=f"user:{account}")
    settings.RESERVATION_COOL_DOWN_MINUTES = [5, 30, 120]
    found = {each.holder: each.cooling.unpaid for each in cooldowns.cooling_now()}
    assert found == {"user:1": 2, "visitor:f": 2}
    for name, browser in (("user:1", "visitor:c"), ("visitor:f", "")):
        with pytest.raises(CoolingDown):
            services.reserve(
                product_id=row.product_id, quantity=1, holder=Holder(name, others=(browser,))
            )
    services.reserve(
        product_id=row.product_id, quantity=1, holder=Holder("user:2", others=("visitor:d",))
    )
