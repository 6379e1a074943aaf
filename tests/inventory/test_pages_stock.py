"""The pages that change stock: fill in, check, apply; permissions; refusals."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from inventory import services
from inventory.adjustments import MAX_UNITS
from inventory.models import Inventory, StockMovement, Warehouse
from tests import stock_room
from tests.reservations.test_verbs import hold
from tests.stock import stocked

pytestmark = pytest.mark.django_db

LIST = "/admin/inventory/inventory/"
VERBS: dict[str, tuple[str, dict[str, Any]]] = {
    "receive": ("receive_stock", {"units": 3, "note": "Delivery 12"}),
    "adjust": ("adjust_stock", {"units": -2, "code": "damaged", "note": "Fell"}),
    "write-off": ("write_off_stock", {"units": 2, "note": "Flood"}),
    "transfer": ("transfer_stock", {"units": 2, "to": "del-01"}),
    "threshold": ("set_threshold", {"units": 4}),
}


def staff(*permissions: str) -> Client:
    """A signed-in user with only this permission, besides viewing inventory."""
    user = User.objects.create_user(f"staff-{'-'.join(permissions)}", is_staff=True)
    wanted = ("view_inventory", *permissions)
    user.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    client = Client()
    client.force_login(user)
    return client


def address(row: Inventory, verb: str) -> str:
    return f"{LIST}{verb}/?id={row.pk}"


def fill_in(client: Client, page: str, **fields: Any) -> Any:
    """Opens the form, fills it in, presses Check."""
    form = client.get(page).context["form"]
    reference = form["reference"].value()
    if "to" in fields:
        fields["to"] = Warehouse.objects.get_or_create(code=fields["to"])[0].pk
    return client.post(page, {"reference": reference, "step": "check", **fields})


def sent(checked: Any, step: str = "apply") -> dict[str, Any]:
    """The data that the check page sends when its button is pressed."""
    form = checked.context["form"]
    fields = {field.name: field.value() or "" for field in form}
    return {**fields, "seen": checked.context["seen"], "step": step}


def act(client: Client, page: str, **fields: Any) -> Any:
    checked = fill_in(client, page, **fields)
    return client.post(page, sent(checked), follow=True)


def said(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


@pytest.mark.parametrize(
    ("verb", "after", "words"),
    [
        ("receive", 12, "Received: Tidal in blr-01, total 9 → 12."),
        ("adjust", 7, "Adjusted: Tidal in blr-01, total 9 → 7."),
        ("write-off", 7, "Written off: Tidal in blr-01, total 9 → 7."),
        ("transfer", 7, "Moved: Tidal in blr-01, total 9 → 7."),
        ("threshold", 9, "Given a threshold: Tidal in blr-01, threshold 2 → 4."),
    ],
)
def test_each_verb_shows_its_effect_then_applies_and_logs_it(verb, after, words) -> None:
    row = stocked(9)
    permission, fields = VERBS[verb]
    client = staff(permission)
    checked = fill_in(client, address(row, verb), **fields)
    assert "Nothing has been changed yet" in checked.content.decode()
    row.refresh_from_db()
    assert (row.total_units, row.low_stock_threshold) == (9, 2), "checking changes nothing"
    done = client.post(address(row, verb), sent(checked), follow=True)
    assert done.redirect_chain == [(LIST, 303)]
    assert said(done) == [words]
    row.refresh_from_db()
    assert row.total_units == after
    assert words.split(", ")[1].rstrip(".") in LogEntry.objects.get().change_message
    if verb != "threshold":
        line = StockMovement.objects.filter(inventory=row).first()
        assert line
        assert str(line.actor) == f"staff-{permission}"


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_needs_its_own_permission(verb) -> None:
    row = stocked(9)
    needed, fields = VERBS[verb]
    client = staff(*(permission for permission, _ in VERBS.values() if permission != needed))
    assert client.get(address(row, verb)).status_code == 403
    assert client.post(address(row, verb), {**fields, "step": "apply"}).status_code == 403
    listed = client.post(LIST, {"action": verb, "_selected_action": [row.pk]})
    assert "No action selected" in listed.content.decode() or listed.status_code == 302
    page = client.get(f"{LIST}{row.pk}/change/").content.decode()
    assert address(row, verb) not in page
    assert page.count(f"{LIST}{row.pk}/") >= len(VERBS) - 1
    row.refresh_from_db()
    assert (row.total_units, row.low_stock_threshold) == (9, 2)


def test_a_viewer_sees_no_verbs() -> None:
    row = stocked(9)
    client = staff()
    page = client.get(f"{LIST}{row.pk}/change/").content.decode()
    assert "Last movements" in page
    listed = client.get(LIST).content.decode()
    assert "Tidal" in listed
    assert not [verb for verb in VERBS if f"/{verb}/" in page + listed]
    assert 'name="action"' not in listed


def test_the_holds_that_block_a_change_are_named(admin_client) -> None:
    row = stocked(5)
    holds = [hold(row, 2, "session:a"), hold(row, 1, "session:b")]
    response = fill_in(admin_client, address(row, "write-off"), units=3, note="Broken")
    page = response.content.decode()
    assert "2 would be left, but 3 are reserved." in page
    for held in holds:
        assert f"/admin/reservations/reservation/{held.pk}/change/" in page
        assert str(held.pk)[:8] in page
    assert StockMovement.objects.count() == 1


@pytest.mark.parametrize(
    ("verb", "fields", "error"),
    [
        ("receive", {"units": 0}, "At least 1."),
        ("receive", {"units": ""}, "Fill this in"),
        ("receive", {"units": "1e2"}, "Enter a whole number"),
        ("receive", {"units": 10**12}, "At most"),
        ("receive", {"units": 1, "note": "\0"}, "a character that no text has"),
        ("receive", {"units": 1, "note": "x" * 201}, "At most 200 characters"),
        ("receive", {"units": 1, "reference": "x"}, "Please correct"),
        ("adjust", {"units": 0, "code": "lost", "note": "x"}, "changes nothing"),
        ("adjust", {"units": 1, "code": "sold", "note": "x"}, "Choose one of the list"),
        ("adjust", {"units": 1, "code": "lost"}, "Fill this in"),
        ("adjust", {"units": -6, "code": "lost", "note": "x"}, "That is 1 more than there are"),
        ("transfer", {"units": 1, "to": "blr-01"}, "It is in blr-01 already"),
        ("threshold", {"units": -1}, "At least 0."),
    ],
)
def test_invalid_input_is_explained_beside_its_field(admin_client, verb, fields, error) -> None:
    row = stocked(5)
    response = fill_in(admin_client, address(row, verb), **fields)
    assert response.status_code == 200
    assert error in response.content.decode()
    assert StockMovement.objects.count() == 1


def test_a_form_that_is_sent_twice_acts_once(admin_client) -> None:
    row = stocked(5)
    page = address(row, "receive")
    form = sent(fill_in(admin_client, page, units=2))
    admin_client.post(page, form)
    again = admin_client.post(page, form, follow=True)
    assert said(again)[-1] == "This was already done. Nothing was done twice."
    row.refresh_from_db()
    assert row.total_units == 7


def test_a_move_that_is_sent_twice_moves_once(admin_client) -> None:
    row = stocked(5)
    page = address(row, "transfer")
    form = sent(fill_in(admin_client, page, units=2, to="del-01"))
    for _ in range(2):
        admin_client.post(page, form)
    row.refresh_from_db()
    assert (row.total_units, StockMovement.objects.count()) == (3, 3)


def test_a_row_that_changed_since_the_check_is_shown_again(admin_client) -> None:
    row = stocked(5)
    page = address(row, "receive")
    form = sent(fill_in(admin_client, page, units=2))
    stock_room.receive(inventory_id=row.pk, units=10)
    stale = admin_client.post(page, form)
    assert "It was 5 when you looked, and is 15 now." in stale.content.decode()
    assert [(line.before, line.after) for line in stale.context["lines"]] == [(15, 17)]
    admin_client.post(page, sent(stale))
    row.refresh_from_db()
    assert row.total_units == 17


def test_a_threshold_changed_since_the_check_is_shown_again(admin_client) -> None:
    row = stocked(5)
    page = address(row, "threshold")
    form = sent(fill_in(admin_client, page, units=4))
    services.set_threshold(thresholds={row.pk: 3})
    stale = admin_client.post(page, form)
    assert "It was 2 when you looked, and is 3 now." in stale.content.decode()
    row.refresh_from_db()
    assert row.low_stock_threshold == 3
    admin_client.post(page, sent(stale))
    row.refresh_from_db()
    assert row.low_stock_threshold == 4


def test_what_was_not_shown_is_not_applied(admin_client) -> None:
    row = stocked(5)
    page = address(row, "receive")
    form = sent(fill_in(admin_client, page, units=2)) | {"seen": ""}
    assert "Nothing has been changed yet" in admin_client.post(page, form).content.decode()
    for seen in ("[[}", "[[1, 1e999]]", "[" * 99_999):
        assert admin_client.post(page, form | {"seen": seen}).status_code == 200
    row.refresh_from_db()
    assert row.total_units == 5


def test_the_form_can_be_corrected_after_the_check(admin_client) -> None:
    row = stocked(5)
    page = address(row, "adjust")
    checked = fill_in(admin_client, page, units=2, code="counted", note="Shelf 3")
    form = admin_client.post(page, sent(checked, "edit")).content.decode()
    assert 'value="Shelf 3"' in form
    assert 'value="counted" selected' in form


# --- many rows ------------------------------------------------------------------------------------


@pytest.fixture
def rows() -> list[Inventory]:
    return [stocked(5, product=f"vase-{n}") for n in range(3)]


def bulk(rows: list[Inventory], verb: str) -> str:
    return f"{LIST}{verb}/?id={','.join(str(row.pk) for row in rows)}"


def totals() -> list[int]:
    return list(Inventory.objects.order_by("pk").values_list("total_units", flat=True))


def test_an_action_of_the_list_leads_to_a_page_that_names_the_rows(admin_client, rows) -> None:
    chosen = {"action": "adjust", "_selected_action": [row.pk for row in rows[:2]]}
    response = admin_client.post(LIST, chosen)
    assert response.headers["Location"] == f"{bulk(rows[:2], 'adjust')}&back={LIST}"
    page = admin_client.get(response.headers["Location"]).content.decode()
    assert "Vase-0 in blr-01" in page
    assert "Vase-2 in blr-01" not in page


def test_a_rows_own_number_overrides_the_one_for_all(admin_client, rows) -> None:
    own = {f"units_{rows[1].pk}": 7}
    done = act(admin_client, bulk(rows, "receive"), units=1, **own)
    assert totals() == [6, 12, 6]
    assert said(done)[0].startswith("Received: Vase-0 in blr-01, total 5 → 6; ")
    assert LogEntry.objects.count() == 3


def test_rows_without_a_number_are_not_changed(admin_client, rows) -> None:
    act(admin_client, bulk(rows, "write-off"), note="x", **{f"units_{rows[1].pk}": 5})
    assert totals() == [5, 0, 5]
    assert (
        "Give a number for all rows"
        in fill_in(admin_client, bulk(rows, "write-off"), note="x").content.decode()
    )


def test_one_refused_row_stops_all(admin_client, rows) -> None:
    hold(rows[1], 4)
    response = fill_in(admin_client, bulk(rows, "write-off"), units=2, note="x")
    assert [line.row.pk for line, _ in response.context["wrong"]] == [rows[1].pk]
    assert totals() == [5, 5, 5]


def test_one_row_of_many_changed_since_the_check_is_shown_again(admin_client, rows) -> None:
    page = bulk(rows, "receive")
    form = sent(fill_in(admin_client, page, units=1))
    stock_room.receive(inventory_id=rows[2].pk, units=10)
    stale = admin_client.post(page, form)
    assert "It was 5 when you looked, and is 15 now." in stale.content.decode()
    assert totals() == [5, 5, 15]


def test_more_units_than_a_row_can_hold_are_refused(admin_client) -> None:
    here = stocked(5)
    stocked(MAX_UNITS - 1, warehouse="del-01")
    done = act(admin_client, address(here, "transfer"), units=2, to="del-01")
    assert "hold at most 1,000,000,000 units" in done.content.decode()
    assert totals() == [5, MAX_UNITS - 1]


def test_one_product_is_moved_from_two_places_to_a_third(admin_client) -> None:
    here, there = stocked(5), stocked(4, warehouse="del-01")
    act(admin_client, bulk([here, there], "transfer"), units=2, to="mum-01")
    assert totals() == [3, 2, 4]
    assert StockMovement.objects.values("reference").distinct().count() == 3


@pytest.mark.parametrize("ids", ["", "x", "1,,2", ",".join(map(str, range(501)))])
def test_rows_that_are_no_rows_are_a_bad_request(admin_client, ids) -> None:
    assert admin_client.get(f"{LIST}receive/?id={ids}").status_code == 400


def test_unknown_rows_and_verbs_are_not_found(admin_client) -> None:
    row = stocked(5)
    assert admin_client.get(f"{LIST}receive/?id=99{row.pk}").status_code == 404
    for number, status in ((2**31, 404), (2**63, 400), (10**40, 400)):
        assert admin_client.get(f"{LIST}receive/?id={number}").status_code == status
        page = fill_in(admin_client, address(row, "transfer"), units=1)
        posted = {"units": 1, "to": number, "reference": page.context["form"]["reference"].value()}
        assert admin_client.post(address(row, "transfer"), posted).status_code == 200
    assert admin_client.get(f"{LIST}steal/?id={row.pk}").status_code in (302, 404)


# --- lists ----------------------------------------------------------------------------------------


def listed(client: Client, **query: Any) -> list[str]:
    return [str(row.product) for row in client.get(LIST, query).context["cl"].result_list]


def test_the_list_marks_low_sold_out_and_held_rows(admin_client) -> None:
    stocked(9, product="plenty")
    stocked(2, product="few")
    stocked(0, product="none")
    hold(stocked(6, product="held"), 6)
    assert listed(admin_client, stock="low") == ["Few", "None"]
    assert listed(admin_client, stock="sold_out") == ["None"]
    assert listed(admin_client, stock="fully_held") == ["Held"]
    assert listed(admin_client, stock="nonsense") == ["Plenty", "Few", "None", "Held"]
    [held] = admin_client.get(LIST, {"stock": "fully_held"}).context["cl"].result_list
    assert (held.available, held.live_holds) == (0, 1)


def test_a_place_for_a_product_begins_empty_and_is_received_into() -> None:
    stocked(5)
    Warehouse.objects.create(code="del-01", name="Delhi")
    client = staff("receive_stock", "view_product", "view_warehouse")
    place = {"product": "tidal", "warehouse": Warehouse.objects.get(code="del-01").pk}
    for nothing in ("", "nothing", "\0"):
        page = client.post(f"{LIST}add/", {**place, "product": nothing})
        assert page.context["errors"]
    client.post(f"{LIST}add/", {**place, "total_units": 99})
    assert totals() == [5, 0]
    assert staff("adjust_stock").get(f"{LIST}add/").status_code == 403


LEDGER = "/admin/inventory/stockmovement/"


def ledger(client: Client, **query: Any) -> list[int]:
    return [line.delta for line in client.get(LEDGER, query).context["cl"].result_list]


def test_each_filter_of_the_ledger_works(admin_client) -> None:
    asha = User.objects.create_user("asha")
    here, there = stocked(5), stocked(6, product="jug", warehouse="del-01")
    line = stock_room.adjust(
        inventory_id=here.pk, delta=-1, reason=StockMovement.Reason.LOST, note="x", actor=asha
    )
    services.transfer(moves=[services.Move(here.pk, there.warehouse_id, 2)])
    day = line.created_at.astimezone().date()
    assert ledger(admin_client) == [2, -2, -1, 6, 5]
    assert ledger(admin_client, product="tidal") == [2, -2, -1, 5]
    assert ledger(admin_client, product="JUG") == [6]
    assert ledger(admin_client, product="nothing") == []
    assert admin_client.get(LEDGER, {"product": "\0"}).status_code == 400
    assert ledger(admin_client, reason__exact="lost") == [-1]
    assert ledger(admin_client, actor="asha") == [-1]
    assert ledger(admin_client, row=here.pk) == [-2, -1, 5]
    assert ledger(admin_client, row="x") == ledger(admin_client, row="9" * 40) == []
    assert ledger(admin_client, day="2020-02-02") == ledger(admin_client, day="soon") == []
    assert len(ledger(admin_client, day=day.isoformat())) in (0, 5)
    reference = StockMovement.objects.filter(reason="transferred")[0].reference
    assert ledger(admin_client, q=str(reference)) == [2, -2]
    assert ledger(admin_client, q="tidal", actor="asha") == [-1]


def test_the_account_of_one_row_has_the_balance_of_each_line(admin_client, monkeypatch) -> None:
    row = stocked(5)
    stocked(7, product="other")
    for units in (3, 1, 2):
        stock_room.receive(inventory_id=row.pk, units=units)
    stock_room.write_off(inventory_id=row.pk, units=4, note="x")

    def balances(**query: Any) -> list[int | None]:
        page = admin_client.get(LEDGER, {"row": row.pk, **query}).context["cl"]
        return [getattr(line, "balance", None) for line in page.result_list]

    assert balances() == [7, 11, 9, 8, 5]
    monkeypatch.setattr("inventory.staff.ledger_admin.StockMovementAdmin.list_per_page", 2)
    assert balances(p=2) == [9, 8]
    assert balances(p=3) == [5]
    assert balances(reason__exact="received") == [None, None], "not an account"


def test_the_detail_shows_the_last_movements_and_the_live_holds(admin_client) -> None:
    row = stocked(5)
    for _ in range(25):
        stock_room.receive(inventory_id=row.pk, units=1)
    held = hold(row, 3)
    response = admin_client.get(f"{LIST}{row.pk}/change/")
    assert [held.pk for held in response.context["holds"]] == [held.pk]
    assert [line.balance for line in response.context["movements"]] == list(range(30, 10, -1))
