"""The reservations console: its lists, search and verbs."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from allo.admin_kit.base import ModelAdmin
from allo.postgresql.auditing import EVER, findings
from catalog.models import Product
from inventory.models import Inventory
from inventory.staff.filters import products_named, rows_of_product
from reservations import services
from reservations.clock.audit import CHECKS, audit_stock
from reservations.engine.commands import Holder
from reservations.exceptions import Busy, NotPending, ReservationExpired
from reservations.models import Reservation, StaffAction
from reservations.staff import verbs as by_staff
from tests.shopping import holding, press
from tests.staff.people import person, signed_in
from tests.stock import pass_time, stocked

pytestmark = pytest.mark.django_db

LIST = "/admin/reservations/reservation/"
RELEASE, EXTEND = f"{LIST}release/", f"{LIST}extend/"


@pytest.fixture
def support() -> Client:
    return signed_in("Support")


def listed(client: Client, query: str = "") -> list[Reservation]:
    response = client.get(f"{LIST}?{query}")
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


@pytest.fixture
def floor() -> dict[str, Reservation]:
    """One reservation in each state that staff tell apart."""
    made = {
        name: held(stocked(5, product=name, warehouse=f"{name[:3]}-01"))
        for name in ("live", "soon", "overdue", "confirmed", "expired", "released")
    }
    pass_time(500, pk=made["soon"].pk)
    press_as_holder(made["confirmed"], services.confirm)
    press_as_holder(made["released"], services.release)
    pass_time(700, pk=made["expired"].pk)
    services.get(reservation_id=made["expired"].pk)
    pass_time(700, pk=made["overdue"].pk)
    return made


def held(row: Inventory) -> Reservation:
    hold = services.reserve(
        product_id=row.product_id, quantity=1, holder=Holder(f"visitor:{uuid4()}")
    )
    assert isinstance(hold, Reservation)
    return hold


def press_as_holder(reservation: Reservation, verb) -> None:
    verb(reservation_id=reservation.pk)


# --- finding ------------------------------------------------------------------------------------


def test_the_first_list_is_what_is_held_now_soonest_to_end_first(support, floor) -> None:
    assert listed(support) == [floor["soon"], floor["live"]]


@pytest.mark.parametrize(
    ("state", "names"),
    [
        ("live", ["soon", "live"]),
        ("soon", ["soon"]),
        ("overdue", ["overdue"]),
        ("confirmed", ["confirmed"]),
        ("expired", ["expired"]),
        ("released", ["released"]),
        ("nonsense", ["soon", "live"]),
        ("any", ["soon", "live"]),
    ],
)
def test_each_state_lists_its_reservations(support, floor, state, names) -> None:
    assert listed(support, f"state={state}") == [floor[name] for name in names]


def test_overdue_reservations_are_marked(support, floor) -> None:
    page = support.get(f"{LIST}?state=overdue").content.decode()
    assert "past its time" in page
    assert f"release/?id={floor['overdue'].pk}" not in page


def test_the_list_is_filtered_by_warehouse_and_product(support, floor) -> None:
    row = floor["live"].inventory
    assert listed(support, f"inventory__warehouse__id__exact={row.warehouse_id}") == [floor["live"]]
    assert listed(support, f"product={row.product_id}") == [floor["live"]]
    assert listed(support, f"product={row.product_id}&state=confirmed") == []
    assert listed(support, "product=Live") == listed(support, "product=liv") == [floor["live"]]
    for nonsense in ("x-", "0", "9" * 30, "'; drop"):
        assert listed(support, f"product={nonsense}") == []


def test_a_product_is_found_by_its_slug_before_a_name_and_by_its_name_before_an_id() -> None:
    by_id, by_name, by_slug = (stocked(1, product=it).product for it in ("reef", "moon", "tidal"))
    asked = str(by_id.pk)
    assert list(products_named(asked)) == [by_id]
    Product.objects.filter(pk=by_name.pk).update(name=asked)
    assert list(products_named(asked)) == [by_name]
    Product.objects.filter(pk=by_slug.pk).update(slug=asked)
    assert list(products_named(asked)) == [by_slug]
    assert rows_of_product(asked) == list(by_slug.inventory_set.values_list("pk", flat=True))


def test_names_of_products_are_suggested_while_one_is_typed(support, floor) -> None:
    address = f"{LIST}products/"
    assert (
        support.get(address, {"product": "rele"}).content == b'<option value="Released"></option>'
    )
    assert support.get(address, {"product": ""}).content == b""


@pytest.mark.parametrize("name", ["live", "overdue", "confirmed", "expired", "released"])
def test_a_search_by_id_or_holder_covers_every_state(support, floor, name) -> None:
    wanted = floor[name]
    for words in (str(wanted.pk), str(wanted.pk)[:8], str(wanted.pk).upper()[:8], wanted.holder):
        assert listed(support, f"q={words}") == [wanted], words
    assert listed(support, f"q={wanted.holder[8:16]}") == [wanted]


def test_a_search_by_email_ignores_case(client, support) -> None:
    reservation = holding(client, stocked(5))
    press(client, reservation, "confirm", email="Asha@Example.org")
    assert listed(support, "q=asha@example.org") == [reservation]
    assert listed(support, "q=sha@example.org") == []
    assert "Asha@Example.org" in support.get(f"{LIST}?q=asha@example.org").content.decode()


def test_a_search_by_product_stays_within_the_state(support, floor) -> None:
    assert listed(support, "q=live") == [floor["live"]]
    assert listed(support, "q=confirmed") == []
    assert listed(support, "q=confirmed&state=confirmed") == [floor["confirmed"]]


def test_a_search_by_user_name_finds_the_accounts_reservations(support) -> None:
    shopper = User.objects.create_user("asha")
    mine = services.reserve(
        product_id=stocked(3).product_id, quantity=1, holder=Holder(f"user:{shopper.pk}")
    )
    assert listed(support, "q=asha") == [mine]


@pytest.mark.parametrize(
    "words",
    ["%", "'; drop table", "%00", "x" * 10_000, "<img onerror=1>", "session:", "@", "-" * 36],
)
def test_no_search_text_is_an_error(support, floor, words) -> None:
    response = support.get(LIST, {"q": words})
    assert response.status_code == 200
    assert "<img onerror" not in response.content.decode()


def test_a_refresh_of_the_list_gets_only_its_rows(support, floor) -> None:
    response = support.get(LIST, headers={"HX-Request": "true"})
    page = response.content.decode()
    assert str(floor["live"].pk) in page
    assert "<html" not in page


def test_a_reservations_page_has_all_its_facts(support, floor) -> None:
    page = support.get(f"{LIST}{floor['live'].pk}/change/").content.decode()
    for words in ("Live", "liv-01", floor["live"].holder, "Release …", "Extend …"):
        assert words in page
    # The shopper's own pages answer staff as any stranger.
    assert 'href="/checkout/' not in page
    assert "Release …" not in support.get(f"{LIST}{floor['expired'].pk}/change/").content.decode()


# --- acting -------------------------------------------------------------------------------------


def test_a_release_asks_first_then_frees_and_records_actor_and_reason(support, floor) -> None:
    hold = floor["live"]
    question = support.get(RELEASE, {"id": hold.pk}).content.decode()
    assert str(hold.pk)[:8] in question
    assert "Live" in question
    assert Reservation.objects.get(pk=hold.pk).is_pending
    response = support.post(RELEASE, {"id": hold.pk, "reason": "Asked by phone"}, follow=True)
    assert "Released 1 × Live in liv-01." in response.content.decode()
    hold.refresh_from_db()
    assert hold.status == "released"
    assert Inventory.objects.get(pk=hold.inventory_id).reserved_units == 0
    kept = StaffAction.objects.get()
    assert (kept.reservation, kept.actor.username, kept.reason) == (
        hold,
        "support",
        "Asked by phone",
    )
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.get_change_message()) == (
        str(hold.pk),
        "Released: Asked by phone",
    )
    assert "Asked by phone" in support.get(f"{LIST}{hold.pk}/history/").content.decode()
    assert "Asked by phone" in support.get(f"{LIST}{hold.pk}/change/").content.decode()
    assert audit_stock_in_tests() == []


def audit_stock_in_tests() -> list[object]:
    """The audit's checks alone: an audit needs a transaction of its own."""
    with connection.cursor() as cursor:
        return list(findings(cursor, CHECKS, {"since": EVER}))


def test_staff_may_extend_beyond_the_shoppers_limit(support, floor, settings) -> None:
    hold = floor["soon"]
    for _ in range(settings.RESERVATION_MAX_RENEWALS):
        services.renew(reservation_id=hold.pk)
    hold.refresh_from_db()
    before = hold.expires_at
    support.post(EXTEND, {"id": hold.pk, "minutes": 15, "reason": "Card trouble"})
    hold.refresh_from_db()
    assert hold.expires_at - before == timedelta(minutes=15)
    assert hold.renewals == settings.RESERVATION_MAX_RENEWALS
    assert str(StaffAction.objects.get()) == "extended by 15 min: Card trouble"


def test_a_form_that_is_sent_twice_extends_once(support) -> None:
    hold = held(stocked(5))
    page = support.get(EXTEND, {"id": hold.pk}).content.decode()
    [(name, until)] = re.findall(r'name="(until-[^"]*)" value="([^"]*)"', page)
    form = {"id": hold.pk, "minutes": 15, "reason": "Card trouble", name: until}
    support.post(EXTEND, form)
    again = support.post(EXTEND, form, follow=True).content.decode()
    assert "It was extended meanwhile, and lasts until" in again
    assert StaffAction.objects.count() == 1
    before, hold.expires_at = hold.expires_at, Reservation.objects.get().expires_at
    assert hold.expires_at - before == timedelta(minutes=15)
    assert support.post(EXTEND, form | {name: "soon"}).status_code == 400


def test_a_polling_checkout_gets_the_extended_time(client, support) -> None:
    hold = holding(client, stocked(5))
    address = f"/checkout/{hold.pk}/"
    seen = client.get(address).context["seen"]
    support.post(EXTEND, {"id": hold.pk, "minutes": 5, "reason": "Asked"})
    answer = client.get(address, {"seen": seen}, headers={"HX-Request": "true"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("address", "form"),
    [
        (RELEASE, {"reason": ""}),
        (RELEASE, {"reason": "   "}),
        (RELEASE, {"reason": "x" * 201}),
        (EXTEND, {"reason": "why", "minutes": "0"}),
        (EXTEND, {"reason": "why", "minutes": "61"}),
        (EXTEND, {"reason": "why", "minutes": "-5"}),
        (EXTEND, {"reason": "why", "minutes": "x"}),
        (EXTEND, {"reason": "", "minutes": "5"}),
    ],
)
def test_nothing_is_done_without_a_reason_or_a_sensible_time(support, floor, address, form) -> None:
    response = support.post(address, {"id": floor["live"].pk, **form})
    assert response.status_code == 422
    assert not StaffAction.objects.exists()


@pytest.mark.parametrize("name", ["overdue", "confirmed", "expired", "released"])
@pytest.mark.parametrize("address", [RELEASE, EXTEND])
def test_an_ended_reservation_is_shown_as_ended_and_never_revived(
    support, floor, address, name
) -> None:
    page = support.get(address, {"id": floor[name].pk}).content.decode()
    assert "None of these is live any more." in page
    before = Reservation.objects.get(pk=floor[name].pk).expires_at
    support.post(address, {"id": floor[name].pk, "minutes": 5, "reason": "late"})
    after = Reservation.objects.get(pk=floor[name].pk)
    assert (after.expires_at, StaffAction.objects.count()) == (before, 0)


@pytest.mark.parametrize(
    ("verb", "refusal"), [(services.confirm, NotPending), (services.release, NotPending)]
)
def test_a_reservation_that_ended_after_the_question_is_refused(floor, verb, refusal) -> None:
    """A reservation that its holder released meanwhile is not recorded as released by staff."""
    actor, hold = person("Support"), floor["live"]
    verb(reservation_id=hold.pk)
    with pytest.raises(refusal):
        by_staff.release(reservation_id=hold.pk, actor=actor, reason="too late")
    with pytest.raises(refusal):
        by_staff.extend(reservation_id=hold.pk, minutes=5, actor=actor, reason="too late")
    assert not StaffAction.objects.exists()


def test_a_verb_on_an_overdue_hold_expires_it(floor) -> None:
    with pytest.raises(ReservationExpired):
        by_staff.extend(
            reservation_id=floor["overdue"].pk, minutes=5, actor=person("Support"), reason="late"
        )
    assert Reservation.objects.get(pk=floor["overdue"].pk).status == "expired"


@pytest.mark.parametrize("minutes", [0, -1, 61])
def test_the_verb_itself_bounds_the_time(floor, minutes) -> None:
    with pytest.raises(ValueError, match="between 1 and 60"):
        by_staff.extend(
            reservation_id=floor["live"].pk, minutes=minutes, actor=person("Support"), reason="x"
        )


def test_all_of_a_holder_are_released_after_one_question_that_names_them(support) -> None:
    shopper = Client()
    mine = [holding(shopper, stocked(3, product=name)) for name in ("vase", "lamp", "stool")]
    other = holding(Client(), stocked(3, product="other"))
    page = support.get(RELEASE, {"holder": mine[0].holder}).content.decode()
    assert all(str(hold.pk) in page for hold in mine)
    assert "Release all 3" in page
    support.post(RELEASE, {"id": [hold.pk for hold in mine], "reason": "A bot"})
    assert StaffAction.objects.count() == LogEntry.objects.count() == 3
    assert list(Reservation.objects.pending()) == [other]


def test_the_result_of_each_of_several_is_reported(support, floor, monkeypatch) -> None:
    sold, free = floor["soon"], floor["live"]
    real = by_staff.release

    def release(*, reservation_id, **more):
        if reservation_id == sold.pk:
            raise Busy
        return real(reservation_id=reservation_id, **more)

    monkeypatch.setattr(by_staff, "release", release)
    ids = [sold.pk, free.pk]
    page = support.post(RELEASE, {"id": ids, "reason": "A bot"}, follow=True).content.decode()
    assert f"{str(sold.pk)[:8]} (1 × Soon in soo-01): not released. Many people" in page
    assert "Released 1 × Live in liv-01." in page
    assert StaffAction.objects.get().reservation == free


def test_the_lists_own_actions_lead_to_the_same_question(support, floor) -> None:
    ids = [floor["live"].pk, floor["soon"].pk]
    response = support.post(LIST, {"action": "release", "_selected_action": ids})
    assert response.status_code == 302
    assert response.headers["Location"].startswith(RELEASE)
    page = support.get(response.headers["Location"]).content.decode()
    assert "Release these 2 reservations?" in page


def test_reservations_that_ended_since_they_were_ticked_are_named(support, floor) -> None:
    """The list of live ones has them no more."""
    live, gone = floor["live"], floor["expired"]
    for ticked, title in (([live, gone], "Release this reservation?"), ([gone], "Nothing to")):
        ids = [hold.pk for hold in ticked]
        page = support.post(LIST, {"action": "release", "_selected_action": ids}, follow=True)
        assert page.status_code == 200
        assert page.context["title"].startswith(title)
        assert page.context["ended"] == [gone]


@pytest.mark.parametrize("query", ["id=x", "id=" + "&id=".join(str(uuid4()) for _ in range(101))])
def test_invalid_and_too_many_ids_are_refused(support, query) -> None:
    assert support.get(f"{RELEASE}?{query}").status_code == 400


def test_an_unknown_holder_has_nothing_to_release(support) -> None:
    assert "Nothing to release" in support.get(f"{RELEASE}?id={uuid4()}").content.decode()


def test_the_record_is_never_changed_or_deleted(support, floor) -> None:
    support.post(RELEASE, {"id": floor["live"].pk, "reason": "A bot"})
    for change in (
        lambda: StaffAction.objects.update(reason="other"),
        lambda: StaffAction.objects.all().delete(),
    ):
        with (
            pytest.raises(DatabaseError, match="staff_actions_are_append_only"),
            transaction.atomic(),
        ):
            change()


def test_the_record_and_the_change_are_one_transaction(floor, monkeypatch) -> None:
    hold, actor = floor["live"], person("Support")

    def broken(*args, **kwargs) -> None:
        raise RuntimeError

    monkeypatch.setattr(StaffAction, "save", broken)
    with pytest.raises(RuntimeError):
        by_staff.release(reservation_id=hold.pk, actor=actor, reason="A bot")
    assert Reservation.objects.get(pk=hold.pk).is_pending
    assert Inventory.objects.get(pk=hold.inventory_id).reserved_units == 1


@pytest.mark.django_db(transaction=True)
def test_the_books_balance_after_staffs_verbs(client) -> None:
    actor = person("Support")
    holds = [holding(Client(), stocked(5, product=name)) for name in ("a", "b", "c")]
    by_staff.release(reservation_id=holds[0].pk, actor=actor, reason="x")
    by_staff.extend(reservation_id=holds[1].pk, minutes=60, actor=actor, reason="x")
    services.confirm(reservation_id=holds[1].pk)
    assert audit_stock() == []


def test_the_list_of_staff_actions_shows_actor_time_and_reason(support, floor) -> None:
    support.post(RELEASE, {"id": floor["live"].pk, "reason": "A bot"})
    page = support.get("/admin/reservations/staffaction/").content.decode()
    assert "A bot" in page
    assert "support" in page


def test_a_filter_by_what_no_text_has_is_refused_in_every_list(admin_client) -> None:
    for model, page in admin.site._registry.items():
        if not isinstance(page, ModelAdmin):
            continue
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for name in ("q", "kind", "state", "provider", "action", "decision", "p"):
            refused = admin_client.get(address, {name: "a\0"})
            assert refused.status_code in (400, 404), (address, name)
