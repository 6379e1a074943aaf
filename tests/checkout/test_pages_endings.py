"""Each ending shows who ended it and why: on the page, in its title, in lists, and in the API."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from reservations import services
from reservations.models import Reservation
from reservations.staff import verbs as by_staff
from reservations.staff.verbs import Cause
from tests.shopping import HTMX, holding, press
from tests.staff.people import signed_in
from tests.stock import pass_time, stocked

pytestmark = pytest.mark.django_db

SECRET = "Bought 40 of them last week under other names"


def withdraw(reservation: Reservation, cause: Cause = Cause.RULES) -> None:
    actor = User.objects.create_user("asha", is_staff=True)
    by_staff.release(reservation_id=reservation.pk, actor=actor, reason=SECRET, cause=cause)


def run_out(reservation: Reservation) -> None:
    pass_time(601, pk=reservation.pk)


def let_go(reservation: Reservation) -> None:
    services.release(reservation_id=reservation.pk)


def confirm(reservation: Reservation) -> None:
    services.confirm(reservation_id=reservation.pk)


End = Callable[[Reservation], None]

ENDINGS: list[tuple[End, str, str, str]] = [
    (withdraw, "Taken back", "We took it&nbsp;back.", "Our staff ended your reservation of Tidal"),
    (let_go, "Cancelled", "Back on the&nbsp;shelf.", "You let Tidal go"),
    (run_out, "Ran out", "The time ran&nbsp;out.", "Tidal went back on the shelf"),
    (confirm, "Confirmed", "It is yours.", "Tidal was confirmed"),
]


@pytest.mark.parametrize(("end", "title", "heading", "words"), ENDINGS)
def test_each_ending_names_who_ended_it_also_in_the_tabs_title(
    client: Client, end: End, title: str, heading: str, words: str
) -> None:
    reservation = holding(client, stocked(5))
    address = f"/checkout/{reservation.pk}/"
    before = client.get(address)
    assert "<title>Held for you: Tidal – Allo</title>" in before.content.decode()
    end(reservation)
    whole = client.get(address).content.decode()
    # What htmx swaps in: after a push, a poll, or one of the page's forms.
    part = client.get(address, {"seen": before.context["seen"]}, headers=HTMX).content.decode()
    late = press(client, reservation, "renew", headers=HTMX).content.decode()
    for page in (whole, part, late):
        assert page.count("<title>") == 1
        assert f"<title>{title}: Tidal – Allo</title>" in page
        assert heading in page
        assert words in page
        assert SECRET not in page
        others = {name for _, name, *_ in ENDINGS} | {"Held for you"}
        assert not [name for name in others - {title} if f"<title>{name}" in page]
    assert part.lstrip().startswith("<title>"), "htmx takes a title only from the root"


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (Cause.DAMAGED, "It turned out to be damaged."),
        (Cause.MISSING, "It was missing from the shelf, although our records showed it."),
        (Cause.ASKED, "You asked us to."),
        (Cause.RULES, "It was held in a way that our rules do not allow."),
        (Cause.OTHER, ""),
    ],
)
def test_a_shopper_reads_the_cause_and_not_what_staff_wrote(client, cause, words) -> None:
    reservation = holding(client, stocked(5))
    withdraw(reservation, cause)
    page = client.get(f"/checkout/{reservation.pk}/").content.decode()
    assert words in page
    assert SECRET not in page
    assert "You let" not in page


def test_my_reservations_show_who_ended_each(client) -> None:
    ends: tuple[End, ...] = (withdraw, let_go, run_out, confirm)
    for n, end in enumerate(ends):
        end(holding(client, stocked(5, product=f"p-{n}")))
    page = client.get("/reservations/").content.decode()
    for words in ("Taken back by our staff", "Cancelled", "Ran out", "Confirmed"):
        assert page.count(words) == 1


def test_an_ended_reservation_has_no_cancel_page(client) -> None:
    reservation = holding(client, stocked(5))
    withdraw(reservation)
    response = client.get(f"/checkout/{reservation.pk}/cancel/")
    assert (response.status_code, response.headers["Location"]) == (
        303,
        f"/checkout/{reservation.pk}/",
    )


@pytest.mark.parametrize(
    ("end", "status", "by"),
    [
        (withdraw, "released", "staff"),
        (let_go, "released", "holder"),
        (run_out, "expired", "clock"),
        (confirm, "confirmed", "holder"),
    ],
)
def test_the_api_names_who_ended_it(end, status, by) -> None:
    api = Client()
    stocked(5)
    body = {"product": "tidal", "quantity": 1}
    made = api.post("/api/reservations", body, "application/json")
    own = {"Authorization": f"Bearer {made.json()['token']}"}
    assert (made.json()["ended_by"], made.json()["withdrawn"]) == (None, None)
    end(Reservation.objects.get(pk=made.json()["id"]))
    said = api.get(made.headers["Location"], headers=own).json()
    assert (said["status"], said["ended_by"]) == (status, by)
    assert said["withdrawn"] == ("rules" if by == "staff" else None)
    late = api.post(f"{made.headers['Location']}/renew", {}, "application/json", headers=own).json()
    if status == "expired":
        assert late["code"] == "reservation_expired"
    else:
        assert (late["reservation_status"], late["ended_by"]) == (status, by)
        assert late["detail"].endswith("by the shop.") == (by == "staff")


def test_staff_choose_the_cause_and_see_it(client) -> None:
    reservation = holding(client, stocked(5))
    staff = signed_in("Support")
    address = "/admin/reservations/reservation/"
    form = {"id": reservation.pk, "reason": "Cracked", "cause": "damaged"}
    assert staff.post(f"{address}release/", {**form, "cause": "no"}).status_code == 422
    assert staff.post(f"{address}release/", form).status_code == 303
    assert (
        "released by staff: it is damaged"
        in staff.get(f"{address}{reservation.pk}/change/").content.decode()
    )
