"""A form that adds a row adds one, however often it is sent."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.test import Client

from allo.admin_kit.adding import Adding
from allo.outbox.models import Webhook
from catalog.models import Category, Product
from inventory.models import Warehouse
from reservations.models import ApiToken
from tests.shopping import said
from tests.staff.forms import sent
from tests.staff.people import signed_in
from tests.staff.test_products import form as product_form
from tests.stock import all_at_once, stocked

pytestmark = pytest.mark.django_db

HOOK = {"name": "ERP", "url": "https://hooks.example.org/allo", "kinds": ["stock.low"]}
TOKEN = {"name": "ERP", "scopes": ["read"]}
ONCE = "exists already: this form was sent before. Nothing was added twice."


def address(model: type[Model]) -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


def filled(client: Client, model: type[Model], **typed: Any) -> dict[str, Any]:
    page = client.get(f"{address(model)}add/")
    return {"_save": "Save", **sent(page, f"{model._meta.model_name}_form", **typed)}


@pytest.mark.parametrize(
    ("model", "typed"),
    [
        (Webhook, HOOK),
        (ApiToken, TOKEN),
        (Category, {"name": "Lamps", "slug": "lamps"}),
        (Warehouse, {"name": "pnq-01", "code": "pnq-01"}),
        (Group, {"name": "Helpers"}),
        (User, {"username": "asha", "password1": "Kh7-vase-29", "password2": "Kh7-vase-29"}),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_form_that_is_sent_twice_adds_one_and_leads_to_it(admin_client, model, typed) -> None:
    before = model.objects.count()
    form = filled(admin_client, model, **typed)
    assert admin_client.post(f"{address(model)}add/", form).status_code in (200, 302)
    new = model.objects.latest("pk")
    again = admin_client.post(f"{address(model)}add/", form, follow=True)
    assert model.objects.count() == before + 1
    assert f"{new} {ONCE}" in said(again)
    assert again.redirect_chain == [(f"{address(model)}{new.pk}/change/", 303)]
    assert LogEntry.objects.filter(object_id=str(new.pk)).count() == 1


def test_a_product_is_added_once(settings, tmp_path, admin_client) -> None:
    settings.MEDIA_ROOT = tmp_path
    stocked(1, product="other")
    key = filled(admin_client, Product)["adds"]
    for _ in range(2):
        # A file is read once.
        page = admin_client.post(
            f"{address(Product)}add/", {**product_form(), "adds": key}, follow=True
        )
    assert Product.objects.exclude(slug="other").count() == 1
    assert ONCE in said(page)


@pytest.mark.parametrize(("model", "typed"), [(Webhook, HOOK), (ApiToken, TOKEN)])
def test_a_secret_is_not_shown_to_the_form_that_comes_second(model, typed) -> None:
    manager = signed_in("Manager")
    form = filled(manager, model, **typed)
    shown = manager.post(f"{address(model)}add/", form)
    assert 'id="secret"' in shown.content.decode()
    again = manager.post(f"{address(model)}add/", form, follow=True)
    assert "Its secret was shown then." in said(again)
    assert 'id="secret"' not in again.content.decode()


def test_each_page_adds_a_row_of_its_own_and_a_mistake_keeps_its_key(admin_client) -> None:
    first, second = (filled(admin_client, Webhook, **HOOK) for _ in range(2))
    page = admin_client.post(f"{address(Webhook)}add/", {**first, "url": "http://x"})
    assert sent(page, "webhook_form")["adds"] == first["adds"]
    for form in (first, second):
        admin_client.post(f"{address(Webhook)}add/", form)
    assert Webhook.objects.count() == 2


def test_a_key_is_of_one_person_and_kind_of_row_and_cannot_be_made_up(admin_client) -> None:
    form = filled(admin_client, Webhook, **HOOK)
    admin_client.post(f"{address(Webhook)}add/", form)
    webhook = Webhook.objects.get()
    manager, viewer = signed_in("Manager"), signed_in("Viewer")
    made_up = {**form, "adds": str(webhook.pk)}
    for client, sent_form in ((manager, form), (manager, made_up), (manager, {**HOOK})):
        assert client.post(f"{address(Webhook)}add/", sent_form).status_code == 200
    assert Webhook.objects.count() == 4
    assert viewer.post(f"{address(Webhook)}add/", form).status_code == 403
    token = {**TOKEN, "rate": "600/m", "max_units": 1, "adds": form["adds"]}
    assert 'id="secret"' in admin_client.post(f"{address(ApiToken)}add/", token).content.decode()


def test_a_window_beside_the_form_is_closed_the_second_time_too(admin_client) -> None:
    form = filled(admin_client, Category, name="Lamps", slug="lamps")
    pages = [
        admin_client.post(f"{address(Category)}add/", {**form, "_popup": "1"}) for _ in range(2)
    ]
    values = [page.context["popup_response_data"] for page in pages]
    assert values[0] == values[1]
    assert str(Category.objects.get(slug="lamps").pk) in values[0]


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_two_that_are_sent_at_once_one_adds(monkeypatch) -> None:
    """Both find nothing at first."""
    boss = User.objects.create_superuser("boss")
    clients = [Client(), Client()]
    for client in clients:
        client.force_login(boss)
    form = filled(clients[0], Webhook, **HOOK)
    added, asked = Adding._added, []

    def nothing_at_first(self: Any, request: Any) -> Any:
        asked.append(request)
        return None if asked.count(request) == 1 else added(self, request)

    monkeypatch.setattr(Adding, "_added", nothing_at_first)

    def add(caller: int) -> int:
        return clients[caller].post(f"{address(Webhook)}add/", form).status_code

    answers = all_at_once(2, add)
    assert sorted(answers, key=str) == [200, 303]
    assert Webhook.objects.count() == 1
