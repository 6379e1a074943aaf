"""Names, and other text that is shown: refused if invisible, and turning nothing round."""

import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from django import forms
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError

from allo.outbox.models import Webhook
from allo.web.fields import LineField
from allo.web.names import one_line
from catalog.models import Category, Product
from checkout.models import Order
from inventory.files import reading
from inventory.models import Warehouse
from reservations.models import ApiToken, Reservation
from tests.shopping import holding, press
from tests.stock import stocked

pytestmark = pytest.mark.django_db

INVISIBLE = {
    "zero width": "\u200b\u200d\ufeff\uffff",
    "direction": "\u202e\u2066\u200f",
    "fillers": "\u3164\u115f\u2800",
    "a space and an accent": "\u00a0\u0301",
    "soft hyphens": "\u00ad\u00ad",
}
WORDS = "no visible character"


@pytest.fixture(params=INVISIBLE)
def invisible(request) -> str:
    return INVISIBLE[request.param]


def test_an_invisible_name_of_a_buyer_is_refused(client, invisible) -> None:
    reservation = holding(client, stocked(3))
    response = press(client, reservation, "confirm", name=invisible)
    assert response.status_code == 422
    assert WORDS in response.content.decode()
    assert Reservation.objects.get().status == "pending"


@pytest.mark.parametrize("name", ["Ås", "王", "🦊", "محمد", "e\u0301a", "\u200fعلي"])
def test_a_name_in_any_script_is_accepted(client, name) -> None:
    reservation = holding(client, stocked(3))
    assert press(client, reservation, "confirm", name=name).status_code == 303
    assert Order.objects.get().name == unicodedata.normalize("NFC", name).lstrip("\u200f")


@pytest.mark.parametrize(
    ("address", "model"),
    [
        ("catalog/product", Product), ("catalog/category", Category),
        ("inventory/warehouse", Warehouse), ("reservations/apitoken", ApiToken),
        ("outbox/webhook", Webhook),
    ],
)  # fmt: skip
def test_invisible_names_in_the_admin_are_refused(admin_client, invisible, address, model) -> None:
    form = {"name": invisible, "slug": "x", "code": "x", "position": 0, "scopes": ["read"],
            "rate": "off", "max_units": 0}  # fmt: skip
    response = admin_client.post(f"/admin/{address}/add/", form)
    assert WORDS in response.content.decode()
    assert not model.objects.exists()
    assert User.objects.count() == 1


def test_invisible_names_of_accounts_and_roles_are_refused(admin_client) -> None:
    # Of the letters that Django takes in a username.
    filler = INVISIBLE["fillers"][:2]
    password = {"password1": "N3w-secret!", "password2": "N3w-secret!", "usable_password": "true"}
    added = admin_client.post("/admin/auth/user/add/", {"username": filler, **password})
    assert WORDS in added.context["errors"].as_text()
    boss = User.objects.get()
    names = {"first_name": "\u200b", "last_name": "\u2800", "username": "boss"}
    changed = admin_client.post(f"/admin/auth/user/{boss.pk}/change/", names)
    assert changed.context["errors"].as_text().count(WORDS) == 2
    assert User.objects.get().username == boss.username
    group = admin_client.post("/admin/auth/group/add/", {"name": "\u202e"})
    assert WORDS in group.context["errors"].as_text()
    assert "\u202e" not in Group.objects.values_list("name", flat=True)


def test_invisible_text_that_staff_write_is_refused(admin_client, client, invisible) -> None:
    row = stocked(3)
    hold = holding(client, row)
    product = f"/admin/catalog/product/{row.product_id}/change/"
    texts = dict.fromkeys(("tagline", "material", "dimensions_cm", "alt"), invisible)
    errors = admin_client.post(product, texts).context["errors"].as_text()
    assert errors.count(WORDS) == len(texts)
    for address, form in (
        (f"/admin/inventory/inventory/adjust/?id={row.pk}", {"units": 1, "code": "found"}),
        (f"/admin/reservations/reservation/release/?id={hold.pk}", {}),
    ):
        response = admin_client.post(address, {**form, "note": invisible, "reason": invisible})
        assert WORDS in response.content.decode(), address
    hold.refresh_from_db()
    row.refresh_from_db()
    assert (hold.status, row.total_units) == ("pending", 3)


# --- on one line, in its own direction ----------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("Blue Dart\u200f", "Blue Dart"),
        ("\u202eerolagnaB\u202c \u2066x\u2069\u061c\u200e", "erolagnaB x"),
        ("\ufeffA\tB\r\nC\u2028D\x1b\x85", "A B C D"),
        ("A\ufffe\uffffs\ufdd0h\U0001fffea\U0010ffff", "Asha"),
    ],
)
def test_what_turns_or_breaks_a_line_or_is_no_character_is_left_out(typed, read) -> None:
    assert one_line(typed) == read


@pytest.mark.parametrize(
    "name", ["عليּ", "محمد", "क्\u200dष", "ന്\u200d", "می\u200cخواهم", "শ্রী", "👩\u200d🚀", "x²"]
)
def test_letters_of_all_scripts_and_their_joiners_stay(name) -> None:
    assert one_line(name) == name


def test_of_a_long_text_no_more_is_composed_than_may_fit(client, monkeypatch) -> None:
    composed, compose = [], unicodedata.normalize

    def counted(form: Any, text: str) -> str:
        composed.append(len(text))
        return compose(form, text)

    monkeypatch.setattr(unicodedata, "normalize", counted)
    endless = "a" + "\u0315" * 8_000 + "\u0334" * 8_000
    reservation = holding(client, stocked(3))
    response = press(client, reservation, "confirm", name=endless, line1=endless)
    assert response.status_code == 422
    assert 0 < max(composed) < 1_000


@pytest.mark.parametrize("letter", ["é", "ᾂ", "각", "ệ"])
def test_a_name_that_fits_when_composed_fits(letter) -> None:
    field = LineField(max_length=5)
    apart = unicodedata.normalize("NFD", letter)
    assert field.clean(apart * 5) == letter * 5
    with pytest.raises(ValidationError):
        field.clean(apart * 6)


def forms_of(base: type[forms.BaseForm]) -> Iterator[type[forms.BaseForm]]:
    for form in base.__subclasses__():
        yield form
        yield from forms_of(form)


# What is searched for, or compared with a word; nobody else reads it.
OWN = {"q", "product", "number", "word"}


def test_each_field_for_a_line_of_text_is_one() -> None:
    """Forms of models get theirs from the admin."""
    ours = ("allo.", "catalog.", "checkout.", "inventory.", "reservations.")
    plain = {
        (form.__name__, name)
        for form in forms_of(forms.BaseForm)
        if form.__module__.startswith(ours)
        for name, field in getattr(form, "declared_fields", {}).items()
        if type(field) is forms.CharField and type(field.widget) is forms.TextInput
        if name not in OWN
    }
    assert plain == set()


def test_what_staff_type_turns_nothing_round(admin_client) -> None:
    form = {"name": "Jars\u200f", "slug": "jars", "position": 0}
    assert admin_client.post("/admin/catalog/category/add/", form).status_code == 302
    assert Category.objects.get().name == "Jars"
    assert LineField().clean("DHL\u202e") == "DHL"


def test_what_a_file_says_turns_nothing_round() -> None:
    file = "product,warehouse,change,reason,note\njug,blr-01,1,received,DHL\u200f 7\u202e\n"
    _, [record] = reading.read(file.encode(), lambda _: None)
    assert record.note == "DHL 7"
