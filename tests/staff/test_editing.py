"""Two people on one form: each saves own changes, and neither overwrites the other's unseen."""

from collections.abc import Callable
from datetime import datetime
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from allo.admin_kit.editing import SeenForm
from allo.outbox.models import Webhook
from allo.site.models import Page
from allo.staff.login import SetPasswordForm
from catalog.admin import ProductAdmin
from catalog.models import Category, Product, ProductPicture
from inventory.models import Warehouse
from tests.running import wait_for
from tests.server import somebody_waits
from tests.staff.forms import sent
from tests.staff.test_products import photograph
from tests.stock import all_at_once, stocked

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _files(settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path


def address(row: Model) -> str:
    opts = row._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk])


def opened(client: Client, row: Model, **changed: Any) -> dict[str, Any]:
    """The form of the row as this person has it open, filled in."""
    return sent(client.get(address(row)), f"{row._meta.model_name}_form", **changed)


def refused(page: Any) -> dict[str, list[str]]:
    assert page.status_code == 200
    return dict(page.context["adminform"].form.errors)


def changed_meanwhile(now: str, yours: str) -> str:
    return f"Somebody changed this meanwhile. It is now: {now}. Yours is: {yours}."


def _further_picture() -> ProductPicture:
    further = {"image": "products/1.webp", "width": 9, "height": 9, "alt": "Side"}
    return stocked(3).product.pictures.create(**further)


def _webhook() -> Webhook:
    heard = {"kinds": ["order.paid"], "secret": "whsec_AA=="}
    return Webhook.objects.create(name="Till", url="https://example.org/", **heard)


MAKE: dict[type[Model], Callable[[], Any]] = {
    Product: lambda: stocked(3).product,
    ProductPicture: _further_picture,
    Category: lambda: Category.objects.create(name="Bowls", slug="bowls", position=1),
    Warehouse: lambda: Warehouse.objects.create(code="blr-09", name="Bengaluru", position=1),
    Page: lambda: Page.objects.get(slug="about"),
    Webhook: _webhook,
    Group: lambda: Group.objects.create(name="Packers"),
    User: lambda: User.objects.create_user("mia", first_name="Mia", is_staff=True),
}


def make(model: type[Model]) -> Any:
    return MAKE[model]()


# A text, and another field, of every model that has a form to change it.
FORMS = {
    Product: ("name", "material"),
    Category: ("name", "slug"),
    Warehouse: ("name", "code"),
    User: ("first_name", "last_name"),
    Page: ("title", "body"),
}
EDITABLE = (*FORMS, ProductPicture, Webhook, Group)


def test_every_form_that_changes_a_row_is_of_this_kind(rf) -> None:
    request = rf.get("/")
    request.user = User(is_superuser=True, is_active=True)
    editable = set()
    for model, page in admin.site._registry.items():
        if page.has_change_permission(request):
            editable.add(model)
            assert issubclass(page.get_form(request, model(), change=True), SeenForm)
            assert not page.get_inline_instances(request), "rows of rows are not guarded"
    assert editable == set(EDITABLE)


@pytest.mark.parametrize("model", EDITABLE)
def test_a_form_that_nobody_touched_writes_nothing(admin_client, model) -> None:
    row = make(model)
    form = opened(admin_client, row)
    with CaptureQueriesContext(connection) as queries:
        assert admin_client.post(address(row), form).status_code == 302
    table = f'"{model._meta.db_table}"'
    written = [q["sql"] for q in queries if table in q["sql"] and not q["sql"].startswith("SELECT")]
    assert written == []
    assert LogEntry.objects.get().get_change_message() == "No fields changed."


@pytest.mark.parametrize(("model", "fields"), FORMS.items())
def test_what_the_other_changed_elsewhere_in_the_form_stays(admin_client, model, fields) -> None:
    row = make(model)
    text, other = fields
    older = opened(admin_client, row, **{text: "Newest"})
    model.objects.filter(pk=row.pk).update(**{other: "theirs"})
    assert admin_client.post(address(row), older).status_code == 302
    kept = model.objects.get(pk=row.pk)
    assert (getattr(kept, text), getattr(kept, other)) == ("Newest", "theirs")


@pytest.mark.parametrize(("model", "fields"), FORMS.items())
def test_the_same_field_is_refused_showing_both_and_saved_when_sent_again(
    admin_client, model, fields
) -> None:
    row = make(model)
    text, other = fields
    older = opened(admin_client, row, **{text: "Mine"})
    model.objects.filter(pk=row.pk).update(**{text: "Theirs", other: "theirs-too"})
    answer = admin_client.post(address(row), older)
    assert refused(answer)[text][0].startswith(changed_meanwhile("Theirs", "Mine"))
    assert getattr(model.objects.get(pk=row.pk), text) == "Theirs"
    again = sent(answer, f"{model._meta.model_name}_form")
    assert (again[text], again[other]) == ("Mine", "theirs-too")
    assert admin_client.post(address(row), again).status_code == 302
    kept = model.objects.get(pk=row.pk)
    assert (getattr(kept, text), getattr(kept, other)) == ("Mine", "theirs-too")


def test_the_older_form_does_not_undo_the_newer_price(admin_client) -> None:
    product = stocked(3).product
    Product.objects.update(price_paise=125_000)
    older = opened(admin_client, product, price="1300")
    newer = opened(admin_client, product, price="1400", alt="Seen from above")
    assert admin_client.post(address(product), newer).status_code == 302
    answer = admin_client.post(address(product), older)
    assert refused(answer)["price"][0].startswith(changed_meanwhile("1400", "1300"))
    assert Product.objects.get().price_paise == 140_000
    assert 'value="Seen from above"' in answer.content.decode()


def test_what_is_mine_and_wrong_keeps_what_is_theirs_and_right(admin_client) -> None:
    """After an error in one field the form shows the current values of the others."""
    product = stocked(3).product
    older = opened(admin_client, product, slug="no slug")
    Product.objects.update(name="Theirs")
    answer = admin_client.post(address(product), older)
    assert list(refused(answer)) == ["slug"]
    corrected = sent(answer, "product_form", slug="new-slug")
    assert admin_client.post(address(product), corrected).status_code == 302
    kept = Product.objects.get()
    assert (kept.name, kept.slug) == ("Theirs", "new-slug")


def test_a_form_sent_twice_and_after_the_back_button_is_no_conflict(admin_client) -> None:
    category = make(Category)
    form = opened(admin_client, category, name="Vases")
    for _ in range(2):
        assert admin_client.post(address(category), form).status_code == 302
    assert Category.objects.get().name == "Vases"
    # Changed further in the page that the back button brought: what was saved since is shown.
    answer = admin_client.post(address(category), {**form, "name": "Jugs"})
    assert refused(answer)["name"][0].startswith(changed_meanwhile("Vases", "Jugs"))


@pytest.mark.parametrize("seen", [None, "", "forged", "of another row"])
def test_a_form_that_does_not_say_what_it_showed_overwrites_nothing(admin_client, seen) -> None:
    category = make(Category)
    form = opened(admin_client, category, name="Vases")
    if seen == "of another row":
        other = Category.objects.create(name="Other", slug="other")
        form["seen-name"] = opened(admin_client, other)["seen-name"]
    elif seen is None:
        del form["seen-name"]
    else:
        form["seen-name"] = seen
    answer = admin_client.post(address(category), form)
    assert refused(answer)["name"][0].startswith(changed_meanwhile("Bowls", "Vases"))
    assert admin_client.post(address(category), sent(answer, "category_form")).status_code == 302


def test_a_row_deleted_meanwhile_is_reported_as_gone(admin_client, monkeypatch) -> None:
    category = make(Category)
    form = opened(admin_client, category, name="Vases")
    full_clean = SeenForm.full_clean

    def deleted_before(of: SeenForm) -> None:
        Category.objects.all().delete()
        full_clean(of)

    monkeypatch.setattr(SeenForm, "full_clean", deleted_before)
    answer = admin_client.post(address(category), form)
    assert refused(answer) == {"__all__": ["Somebody deleted this meanwhile. Nothing was saved."]}
    assert not Category.objects.exists()


# --- kinds of fields ------------------------------------------------------------------------------


def test_a_tick_that_another_changed_is_refused(admin_client) -> None:
    mia = make(User)
    older = opened(admin_client, mia, is_superuser="on")
    User.objects.filter(pk=mia.pk).update(is_superuser=True, is_active=False)
    assert admin_client.post(address(mia), older).status_code == 302, "both want the same"
    older.pop("is_superuser")
    older.pop("is_staff")
    User.objects.filter(pk=mia.pk).update(is_staff=True, first_name="M.")
    assert admin_client.post(address(mia), older).status_code == 302
    mia.refresh_from_db()
    assert (mia.is_staff, mia.is_superuser, mia.is_active, mia.first_name) == (
        False, True, False, "M.",
    )  # fmt: skip


def test_a_conflict_of_permissions_names_those_added_and_removed(admin_client) -> None:
    group = make(Group)
    view, add, change = (
        Permission.objects.get(codename=f"{verb}_category") for verb in ("view", "add", "change")
    )
    group.permissions.set([view])
    older = opened(admin_client, group, permissions=[view.pk, add.pk])
    group.permissions.set([change])
    answer = admin_client.post(address(group), older)
    [message] = refused(answer)["permissions"]
    assert message.startswith(changed_meanwhile(f"with {change}, without {view}", f"with {add}")), (
        message
    )
    assert list(group.permissions.all()) == [change]
    assert admin_client.post(address(group), sent(answer, "group_form")).status_code == 302
    assert set(group.permissions.all()) == {view, add}


def test_permissions_stay_when_only_the_name_is_changed(admin_client) -> None:
    group = make(Group)
    older = opened(admin_client, group, name="Senders")
    permission = Permission.objects.get(codename="view_category")
    group.permissions.set([permission])
    assert admin_client.post(address(group), older).status_code == 302
    group.refresh_from_db()
    assert (group.name, list(group.permissions.all())) == ("Senders", [permission])


def test_a_category_is_named_and_not_numbered(admin_client) -> None:
    product = stocked(3).product
    mine, theirs = (Category.objects.create(name=name, slug=name) for name in ("mine", "theirs"))
    older = opened(admin_client, product, category=mine.pk)
    Product.objects.update(category=theirs)
    [message] = refused(admin_client.post(address(product), older))["category"]
    assert message.startswith(changed_meanwhile("theirs", "mine"))


def test_a_picture_that_another_replaced_is_refused(admin_client) -> None:
    product = stocked(3).product
    picture = SimpleUploadedFile("mine.jpg", photograph(400, 500), "image/jpeg")
    older = opened(admin_client, product, image=picture)
    Product.objects.update(image="products/theirs.webp")
    [message] = refused(admin_client.post(address(product), older))["image"]
    assert message.startswith(changed_meanwhile("products/theirs.webp", "mine.jpg"))
    assert message.endswith("Choose the file again to replace theirs: a browser does not keep it.")
    assert Product.objects.get().image.name == "products/theirs.webp"


def test_a_picture_is_written_with_its_size_and_colour_and_nothing_else(admin_client) -> None:
    product = stocked(3).product
    picture = SimpleUploadedFile("mine.jpg", photograph(400, 500), "image/jpeg")
    form = opened(admin_client, product, image=picture)
    with CaptureQueriesContext(connection) as queries:
        assert admin_client.post(address(product), form).status_code == 302
    [update] = [q["sql"] for q in queries if q["sql"].startswith('UPDATE "catalog_product"')]
    fields = {"image", "width", "height", "dominant_hex"}
    written = {name for name in fields | {"name", "price_paise", "alt"} if f'"{name}" =' in update}
    assert written == fields


# --- moments --------------------------------------------------------------------------------------


def test_a_moment_keeps_its_seconds_and_less_when_something_else_is_saved(admin_client) -> None:
    product = stocked(3).product
    moment = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=ZoneInfo("UTC"))
    Product.objects.update(published_at=moment)
    form = opened(admin_client, product, name="New")
    assert admin_client.post(address(product), form).status_code == 302
    kept = Product.objects.get()
    assert (kept.name, kept.published_at) == ("New", moment)


@pytest.mark.parametrize("fold", [0, 1])
def test_a_product_published_in_the_repeated_hour_is_saved(admin_client, settings, fold) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    product = stocked(3).product
    moment = datetime(2025, 10, 26, 2, 30, fold=fold, tzinfo=ZoneInfo("Europe/Berlin"))
    Product.objects.update(published_at=moment)
    form = opened(admin_client, product, name="New")
    assert form["published_at"] == "2025-10-26T02:30"
    answer = admin_client.post(address(product), form)
    assert answer.status_code == 302, refused(answer)
    kept = Product.objects.get()
    assert (kept.name, kept.published_at) == ("New", moment.astimezone(ZoneInfo("UTC")))


def test_a_moment_that_another_moved_by_seconds_is_refused(admin_client) -> None:
    product = stocked(3).product
    Product.objects.update(published_at=datetime(2026, 3, 4, 5, 6, 7, tzinfo=ZoneInfo("UTC")))
    older = opened(admin_client, product, published_at="")
    Product.objects.update(published_at=datetime(2026, 3, 4, 5, 6, 8, tzinfo=ZoneInfo("UTC")))
    assert list(refused(admin_client.post(address(product), older))) == ["published_at"]


def test_the_moments_of_an_account_are_recorded_and_not_typed(admin_client) -> None:
    boss = User.objects.get()
    # The list could not read it back.
    first = {"date_joined_0": "0001-01-01", "date_joined_1": "00:00"}
    assert admin_client.post(address(boss), opened(admin_client, boss, **first)).status_code == 302
    assert User.objects.get().date_joined == boss.date_joined


# --- in a list ------------------------------------------------------------------------------------


def test_places_typed_into_a_list_are_guarded_as_well(admin_client) -> None:
    warehouse = make(Warehouse)
    places = "/admin/inventory/warehouse/?q=blr"
    older = sent(admin_client.get(places), "changelist-form", _save="Save")
    assert admin_client.post(places, older).status_code == 302
    Warehouse.objects.update(position=2, name="Theirs")
    older["form-0-position"] = "3"
    answer = admin_client.post(places, older)
    assert changed_meanwhile("2", "3") in answer.content.decode()
    assert Warehouse.objects.get(pk=warehouse.pk).position == 2
    again = sent(answer, "changelist-form", _save="Save")
    answer = admin_client.post(places, again)
    assert (answer.status_code, answer.url) == (302, places)
    kept = Warehouse.objects.get(pk=warehouse.pk)
    assert (kept.position, kept.name) == (3, "Theirs")


# --- passwords ------------------------------------------------------------------------------------


def test_a_new_password_writes_the_password_alone() -> None:
    mia = make(User)
    form = SetPasswordForm(mia, {"password1": "deep-blue-8", "password2": "deep-blue-8"})
    User.objects.filter(pk=mia.pk).update(is_staff=False)
    assert form.is_valid(), form.errors
    form.save()
    kept = User.objects.get(pk=mia.pk)
    assert (kept.is_staff, kept.check_password("deep-blue-8")) == (False, True)


# --- at the same moment ---------------------------------------------------------------------------


def race(monkeypatch: pytest.MonkeyPatch, meet: Callable[[Event], None]) -> list[int]:
    """Two people save one name: the second form is sent while the first is about to write, and the
    first writes once the second waits."""
    product = stocked(3).product
    boss = User.objects.create_superuser("boss")
    clients = [Client(), Client()]
    for client in clients:
        client.force_login(boss)
    forms = [opened(client, product, name=f"By {n}") for n, client in enumerate(clients)]
    first_is_there, second_is_there = Event(), Event()
    save_model = ProductAdmin.save_model

    def save_when_met(self: ProductAdmin, request: Any, obj: Product, *more: Any) -> None:
        if obj.name == "By 0":
            first_is_there.set()
            meet(second_is_there)
        else:
            second_is_there.set()
        save_model(self, request, obj, *more)

    monkeypatch.setattr(ProductAdmin, "save_model", save_when_met)

    def one(caller: int) -> int:
        if caller:
            assert first_is_there.wait(60)
        return int(clients[caller].post(address(product), forms[caller]).status_code)

    statuses = all_at_once(2, one)
    assert all(isinstance(status, int) for status in statuses), statuses
    return statuses  # type: ignore[return-value]


def waits_for_a_lock(_: Event) -> None:
    wait_for(somebody_waits)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_two_that_save_at_the_same_moment_one_is_refused(monkeypatch) -> None:
    assert race(monkeypatch, waits_for_a_lock) == [302, 200]
    assert Product.objects.get().name == "By 0"


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_without_the_lock_both_would_win(monkeypatch) -> None:
    """The negative control: the two saves really collide."""
    monkeypatch.setattr(
        "django.db.models.query.QuerySet.select_for_update", lambda rows, **_: rows.all()
    )

    def second_is_about_to_write(second_is_there: Event) -> None:
        assert second_is_there.wait(60)

    assert race(monkeypatch, second_is_about_to_write) == [302, 302]
