"""Products: created, illustrated, previewed, published; with a history never deleted."""

import struct
import threading
import zlib
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.db.models.functions import Now
from django.forms import Textarea
from django.test import Client
from django.utils import timezone
from kombu.exceptions import OperationalError
from PIL import Image

from allo.web.fields import TextField
from allo.web.storing import NotStored
from allo.web.uploads import MOST_BYTES
from catalog import pictures, redrawing, tasks
from catalog.models import Category, Product, ReplacedPicture, sized
from tests.shopping import HTMX, holding, press_reserve
from tests.staff.forms import sent
from tests.staff.people import person, signed_in
from tests.stock import stocked

pytestmark = pytest.mark.django_db

LIST = "/admin/catalog/product/"


@pytest.fixture(autouse=True)
def _files(settings, tmp_path, monkeypatch) -> None:
    settings.MEDIA_ROOT = tmp_path
    # At the lowest priority sizes would wait for all other tests.
    monkeypatch.setattr(tasks, "_after_all_others", lambda: None)


@pytest.fixture
def manager() -> Client:
    return signed_in("Manager")


def photograph(width: int = 900, height: int = 1200, kind: str = "JPEG", **more) -> bytes:
    buffer = BytesIO()
    noise = Image.effect_noise((width, height), 60)
    Image.merge("RGB", (noise, noise.point(lambda level: level // 2), noise)).save(
        buffer, kind, **more
    )
    return buffer.getvalue()


def upload(content: bytes, name: str = "photo.jpg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, "image/jpeg")


def form(**changed: object) -> dict[str, object]:
    category, _ = Category.objects.get_or_create(name="Bowls", slug="bowls")
    return {
        "name": "Moon bowl", "slug": "moon-bowl", "category": category.pk, "price": "1250.50",
        "gst_percent": "5", "max_per_customer": "2", "position": "3", "tagline": "A bowl",
        "material": "Clay", "description": "It holds the moon.", "dimensions_cm": "20",
        "alt": "A grey bowl", "published_at": "", "image": upload(photograph(240, 320)), **changed,
    }  # fmt: skip


def errors(response) -> dict[str, list[str]]:
    assert response.status_code == 200
    return dict(response.context["adminform"].form.errors)


def test_a_product_is_created_with_its_price_and_a_reencoded_picture(manager) -> None:
    response = manager.post(f"{LIST}add/", form(image=upload(photograph())))
    assert response.status_code == 302, errors(response)
    product = Product.objects.get()
    assert (product.price_paise, product.gst_percent) == (125_050, 5)
    assert product.max_per_customer == 2
    assert (product.width, product.height) == (900, 1200)
    assert Path(product.image.name).match("products/moon-bowl.*.webp")
    with product.image.open() as file, Image.open(file) as image:
        assert image.format == "WEBP"
    assert product.dominant_hex != "#808080"
    assert product.published_at is None
    assert LogEntry.objects.get().object_repr == "Moon bowl"


def test_the_sizes_are_made_outside_the_request_and_offered_to_the_browser(manager) -> None:
    manager.post(f"{LIST}add/", form(image=upload(photograph(1700, 2000))))
    product = Product.objects.get()
    assert (product.width, product.widths, product.srcset) == (1600, None, "")
    tasks.make_sizes()
    product = Product.objects.get()
    assert product.widths == [200, 400, 640, 960, 1280]
    for width in product.widths:
        name = sized(product.image.name, width)
        with product.image.storage.open(name) as file, Image.open(file) as image:
            assert image.width == width
    Product.objects.update(published_at=timezone.now())
    page = Client().get("/").content.decode()
    assert f"{product.image.storage.url(sized(product.image.name, 400))} 400w" in page
    assert f"{product.image.url} 1600w" in page


def test_a_missing_picture_file_stops_no_other(manager) -> None:
    stocked(1)
    manager.post(f"{LIST}add/", form(image=upload(photograph())))
    tasks.make_sizes()
    assert dict(Product.objects.values_list("slug", "widths")) == {
        "tidal": [],
        "moon-bowl": [200, 400, 640],
    }


def test_sizes_that_cannot_be_made_now_are_made_by_a_later_run(manager, settings) -> None:
    manager.post(f"{LIST}add/", form(image=upload(photograph())))
    folder, away = settings.MEDIA_ROOT / "products", settings.MEDIA_ROOT / "away"
    folder.rename(away)
    tasks.make_sizes()
    away.rename(folder)
    in_the_way = settings.MEDIA_ROOT / sized(Product.objects.get().image.name, 200)
    in_the_way.mkdir()
    with pytest.raises(NotStored):
        tasks.make_sizes()
    in_the_way.rmdir()
    tasks.make_sizes()
    assert Product.objects.get().widths == [200, 400, 640]


def replace_picture(manager: Client, product: Product, picture: bytes) -> Product:
    assert saved(manager, product, image=upload(picture)).status_code == 302
    return Product.objects.get()


def saved(
    client: Client, product: Product, headers: dict[str, str] | None = None, **changed: object
) -> Any:
    """The product's form, opened, filled in and sent."""
    address = f"{LIST}{product.pk}/change/"
    fields = sent(client.get(address), "product_form", **changed)
    return client.post(address, fields, headers=headers)


def files(settings) -> set[str]:
    return {path.name for path in (settings.MEDIA_ROOT / "products").iterdir()}


def fetched(address: str) -> tuple[int, str]:
    page = Client().get(address)
    list(page)  # read to the end, which closes the file
    return page.status_code, page.headers.get("Cache-Control", "")


def a_week_later() -> None:
    ReplacedPicture.objects.update(replaced_at=Now() - timedelta(days=7))
    tasks.remove_replaced_pictures()


def test_a_new_picture_replaces_the_old(
    manager, django_capture_on_commit_callbacks, settings, monkeypatch
) -> None:
    manager.post(f"{LIST}add/", form())
    product = Product.objects.get()
    asked: list[object] = []
    monkeypatch.setattr(tasks.make_sizes, "apply_async", lambda **how: asked.append(how))
    with django_capture_on_commit_callbacks(execute=True):
        new = replace_picture(manager, product, photograph(700, 700))
    assert new.image.name != product.image.name
    assert len(asked) == 1
    assert new.widths is None


def test_the_old_picture_stays_for_a_week_in_all_sizes_where_open_pages_find_it(
    manager, settings
) -> None:
    manager.post(f"{LIST}add/", form(image=upload(photograph())))
    tasks.make_sizes()
    old = Product.objects.get()
    assert "immutable" in fetched(old.image.url)[1]
    new = replace_picture(manager, old, photograph(700, 700))
    ReplacedPicture.objects.update(replaced_at=Now() - timedelta(days=6, hours=23))
    tasks.remove_replaced_pictures()
    assert old.widths == [200, 400, 640]
    for width in (None, 200, 400, 640):
        name = sized(old.image.name, width) if width else old.image.name
        assert fetched(old.image.storage.url(name))[0] == 200
    a_week_later()
    assert fetched(old.image.url)[0] == 404
    assert files(settings) == {Path(new.image.name).name}
    assert not ReplacedPicture.objects.exists()


def test_a_picture_that_is_put_back_is_not_removed(manager, settings) -> None:
    first, second = photograph(), photograph(700, 700)
    manager.post(f"{LIST}add/", form(image=upload(first)))
    product = Product.objects.get()
    replace_picture(manager, product, second)
    product = replace_picture(manager, product, first)
    a_week_later()
    assert files(settings) == {Path(product.image.name).name}


def clock_comes() -> None:
    tasks.remove_replaced_pictures()
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_picture_being_put_back_in_a_transaction_is_not_removed(manager, settings) -> None:
    """The file is written before the product's row refers to it."""
    first, second = photograph(), photograph(700, 700)
    manager.post(f"{LIST}add/", form(image=upload(first)))
    old = Product.objects.get()
    replace_picture(manager, old, second)
    ReplacedPicture.objects.update(replaced_at=Now() - timedelta(days=7))
    with transaction.atomic():
        pictures.hold_retired(old)
        clock = threading.Thread(target=clock_comes)
        clock.start()
        clock.join()
    assert Path(old.image.name).name in files(settings)


def test_ten_pictures_are_added_at_once_and_each_has_its_words_and_place(
    manager, settings, django_capture_on_commit_callbacks
) -> None:
    manager.post(f"{LIST}add/", form())
    product = Product.objects.get()
    ten = [photograph(220 + n, 220) for n in range(10)]
    several = [upload(ten[0]), upload(b"GIF89a", "1.gif"), upload(b"no")]
    refused = saved(manager, product, further=several)
    [first, second] = errors(refused)["further"]
    assert first == "1.gif: This is not a JPEG, PNG or WebP picture."
    assert second.startswith("photo.jpg: ")
    eleven = [upload(picture) for picture in (*ten, ten[0])]
    assert errors(saved(manager, product, further=eleven))["further"] == [
        "At most 10 pictures at a time."
    ]
    assert not product.pictures.exists()
    with django_capture_on_commit_callbacks(execute=True):
        again = [upload(picture) for picture in ten]
        assert saved(manager, product, further=again).status_code == 302
    # By the script that shows the progress: it goes on by itself, so that the message is not lost.
    sent_on = saved(manager, product, headers={"HX-Request": "true"})
    assert (sent_on.status_code, sent_on.headers["HX-Redirect"]) == (200, LIST)
    rows = list(product.pictures.all())
    assert [(row.position, row.width, row.alt) for row in rows] == [
        (n, 219 + n, f"Moon bowl: picture {n + 1}") for n in range(1, 11)
    ]
    page = manager.get(f"{LIST}{product.pk}/change/").content.decode()
    assert f"/admin/catalog/productpicture/{rows[3].pk}/change/" in page


def test_while_no_picture_can_be_stored_nothing_is_saved_and_what_was_typed_is_kept(
    manager, settings, tmp_path
) -> None:
    product = stocked(1).product
    foot = product.pictures.create(image="products/tidal.2.webp", position=1, width=1, height=1)
    settings.MEDIA_ROOT = tmp_path / "no-folder"
    settings.MEDIA_ROOT.write_text("")
    pages: dict[str, dict[str, object]] = {
        f"{LIST}add/": form(alt="Typed"),
        f"{LIST}{product.pk}/change/": {
            "alt": "Typed", "opens_at": "2031-05-06T09:30", "further": form()["image"],
        },
        f"/admin/catalog/productpicture/{foot.pk}/change/": {
            "alt": "Typed", "image": form()["image"],
        },
    }  # fmt: skip
    for page, typed in pages.items():
        name = "productpicture_form" if "productpicture" in page else "product_form"
        again = manager.post(page, sent(manager.get(page), name, **typed), headers=HTMX)
        text = again.content.decode()
        assert "The picture could not be stored, and nothing was saved." in text
        assert "opens on" not in text
        assert sent(again, name)["alt"] == "Typed"
    assert (Product.objects.get().alt, product.pictures.get().alt) == (product.alt, "")
    assert not LogEntry.objects.exists()


def test_a_further_picture_is_described_replaced_and_deleted(manager, settings) -> None:
    manager.post(f"{LIST}add/", form())
    product = Product.objects.get()
    saved(manager, product, further=[upload(photograph(220, 220)), upload(photograph(230, 230))])
    first, second = product.pictures.all()
    address = f"/admin/catalog/productpicture/{second.pk}/change/"
    page = manager.get(address)
    answer = manager.post(
        address,
        sent(page, "productpicture_form", alt="Its foot", image=upload(photograph())),
    )
    assert answer.headers["Location"] == f"{LIST}{product.pk}/change/"
    assert [(row.alt, row.width) for row in product.pictures.all()] == [
        (first.alt, 220),
        ("Its foot", 900),
    ]
    tasks.make_sizes()
    manager.post(f"/admin/catalog/productpicture/{first.pk}/delete/", {"post": "yes"})
    assert list(ReplacedPicture.objects.values_list("name", "widths")) == [
        (second.image.name, []),
        (first.image.name, [200]),
    ]
    a_week_later()
    assert {name for name in files(settings) if "-" not in name.removeprefix("moon-bowl")} == {
        Path(row.image.name).name for row in (product, *product.pictures.all())
    }
    assert Client().get(address).status_code == 302
    reader = Client()
    reader.force_login(person("Viewer"))
    assert reader.post(address, {}).status_code == 403


def ordered(product: Product) -> list[tuple[str, str]]:
    """The words and the files of its pictures."""
    rows = (Product.objects.get(pk=product.pk), *product.pictures.all())
    return [(row.alt, row.srcset) for row in rows]


@pytest.fixture
def four() -> Product:
    """A product with four pictures: only their rows, as nothing reads their files."""
    product = stocked(1).product
    Product.objects.update(image="products/tidal.1.webp", widths=[200])
    size = {"width": 220, "height": 220, "widths": [200]}
    for n in (2, 3, 4):
        image, alt = f"products/tidal.{n}.webp", f"Tidal: picture {n}"
        product.pictures.create(image=image, alt=alt, position=n, **size)
    return product


@pytest.mark.parametrize(
    ("typed", "order"),
    [
        # By one number: up, down, and to the first place, or away from it.
        ({3: "2"}, [0, 3, 1, 2]),
        ({1: "3"}, [0, 2, 1, 3]),
        ({3: "1"}, [3, 0, 1, 2]),
        ({0: "4"}, [1, 2, 3, 0]),
        ({0: "4", 1: "3", 2: "2", 3: "1"}, [3, 2, 1, 0]),
    ],
)
def test_pictures_are_put_in_order_by_their_numbers(manager, four, typed, order) -> None:
    before = ordered(four)
    names = ["order-own", *(f"order-{row.pk}" for row in four.pictures.all())]
    fields: dict[str, Any] = {names[picture]: number for picture, number in typed.items()}
    assert saved(manager, four, None, **fields).status_code == 302
    assert ordered(four) == [before[picture] for picture in order]


@pytest.mark.parametrize("number", ["", "0", "5", "x", "-1", "1.5", "٢"])
def test_a_place_that_is_none_is_refused_and_nothing_is_moved(manager, four, number) -> None:
    before = ordered(four)
    answer = saved(manager, four, **{"order-own": number})
    assert errors(answer) == {"order": ["Give each picture a whole number from 1 to 4."]}
    assert f'name="order-own" value="{number}"' in answer.content.decode()
    assert ordered(four) == before


def test_an_order_that_somebody_else_changed_meanwhile_is_not_undone_unseen(manager, four) -> None:
    first, *_ = four.pictures.all()
    address = f"{LIST}{four.pk}/change/"
    older = sent(manager.get(address), "product_form", **{f"order-{first.pk}": "4"})
    assert saved(manager, four, None, **{"order-own": "2"}).status_code == 302
    now = ordered(four)
    [words] = errors(manager.post(address, older))["order"]
    assert words.startswith("Somebody changed this meanwhile. It is now: 1. Tidal: picture 2 2.")
    assert ordered(four) == now


def test_without_the_broker_a_picture_is_kept_all_the_same(
    manager, django_capture_on_commit_callbacks, monkeypatch
) -> None:
    def unreachable(**how: object) -> None:
        raise OperationalError

    monkeypatch.setattr(tasks.make_sizes, "apply_async", unreachable)
    with django_capture_on_commit_callbacks(execute=True):
        assert manager.post(f"{LIST}add/", form()).status_code == 302
    assert Product.objects.exists()


def test_tasks_queued_by_the_admin_go_to_the_shops_broker(settings) -> None:
    assert tasks.make_sizes.app.conf.broker_url == settings.CELERY_BROKER_URL


def test_an_edited_product_keeps_its_picture_even_without_the_file(manager) -> None:
    product = stocked(3).product
    assert saved(manager, product, name="New name").status_code == 302
    product = Product.objects.get()
    assert (product.name, product.image.name, product.width) == (
        "New name",
        "products/tidal.webp",
        800,
    )


def test_a_photographs_location_is_removed_and_it_is_upright(manager) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90°
    exif[0x010E] = "SECRET GARDEN"
    manager.post(f"{LIST}add/", form(image=upload(photograph(1200, 900, exif=exif))))
    product = Product.objects.get()
    assert (product.width, product.height) == (900, 1200)
    assert b"SECRET" not in kept(product)


BOMB = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (50_000).to_bytes(4, "big") * 2
REFUSED = {
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "not a JPEG"),
    "html": (b"<html><script>alert(1)</script>", "not a JPEG"),
    "gif": (photograph(300, 300, "GIF"), "not a JPEG"),
    "gif that is also a script": (b"GIF89a/*" + b"\0" * 99 + b"*/=alert(1)", "not a JPEG"),
    "tiff": (photograph(300, 300, "TIFF"), "not a JPEG"),
    "pdf": (b"%PDF-1.7 ...", "not a JPEG"),
    "broken": (photograph()[:5000], "broken"),
    "bomb": (BOMB + b"\x08\x02\x00\x00\x00\0\0\0\0", "million pixels|not a JPEG|broken"),
    "tiny": (photograph(20, 20), "too small"),
    "ribbon": (photograph(2000, 210), "too small or too narrow"),
    "large": (photograph() + b"\0" * MOST_BYTES, "larger than 10 MB"),
    "huge": (photograph() + b"\0" * 2 * MOST_BYTES, "larger than 10 MB"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_is_no_picture_is_refused_and_the_input_is_kept(
    manager, kind, settings
) -> None:
    content, reason = REFUSED[kind]
    response = manager.post(f"{LIST}add/", form(image=upload(content)))
    [message] = errors(response)["image"]
    assert any(words in message for words in reason.split("|")), message
    page = response.content.decode()
    assert "It holds the moon." in page
    assert "1250.50" in page
    assert not Product.objects.exists()
    assert not (settings.MEDIA_ROOT / "products").exists()


def test_more_pixels_than_allowed_are_not_decoded(monkeypatch) -> None:
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(redrawing.Refused, match="more than 40 million pixels"):
        redrawing.redraw(BytesIO(photograph_header()))


def photograph_header() -> bytes:
    """The first bytes of a PNG whose header says 7000 by 7000."""
    body = b"IHDR" + struct.pack(">IIBBBBB", 7000, 7000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + b"\0" * 4


def test_data_after_the_end_of_a_picture_is_dropped(manager) -> None:
    content = photograph() + b"PK\x03\x04<script>alert(1)</script>"
    manager.post(f"{LIST}add/", form(image=upload(content)))
    assert b"<script>" not in kept(Product.objects.get())


def kept(product: Product) -> bytes:
    with product.image.open() as file:
        return bytes(file.read())


def test_a_date_of_publication_is_in_the_shops_time_zone(manager) -> None:
    manager.post(f"{LIST}add/", form(published_at="2031-05-06T09:30"))
    moment = Product.objects.get().published_at
    assert moment is not None
    assert moment.isoformat() == "2031-05-06T04:00:00+00:00"
    page = manager.get(f"{LIST}{Product.objects.get().pk}/change/").content.decode()
    assert 'value="2031-05-06T09:30"' in page


@pytest.mark.parametrize("moment", ["0001-01-01T00:00", "0026-12-01T10:00", "9999-12-31T23:59"])
def test_a_moment_in_another_millennium_is_refused(manager, moment) -> None:
    """The shop could not read the first one back, nor reckon with the last."""
    page = manager.post(f"{LIST}add/", form(published_at=moment, opens_at=moment))
    refused = ["Give a year from 2000 to 2999."]
    assert errors(page) == {"published_at": refused, "opens_at": refused}


def test_publishing_in_the_form_needs_the_permission(product) -> None:
    editor = person("Viewer")
    editor.user_permissions.add(Permission.objects.get(codename="change_product"))
    client = Client()
    client.force_login(editor)
    before = product.published_at
    moment = "2031-05-06T09:30"
    answer = saved(client, product, name="Edited", published_at=moment, opens_at=moment)
    assert answer.status_code == 302
    after = Product.objects.get()
    assert (after.name, after.published_at, after.opens_at) == ("Edited", before, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("price", value) for value in ("0", "-1", "1.234", "x", "99999999", "")),
        *(("gst_percent", value) for value in ("41", "-1", "2.5", "x", "")),
        *(("max_per_customer", value) for value in ("0", "-1", "2.5", "x")),
    ],
)
def test_an_invalid_price_rate_of_tax_or_limit_is_refused(manager, field, value) -> None:
    assert field in errors(manager.post(f"{LIST}add/", form(**{field: value})))


# --- published, or not yet ------------------------------------------------------------------------


@pytest.fixture
def product() -> Product:
    return stocked(5).product


def seen_in(product: Product) -> set[str]:
    """All places where a shopper could find it."""
    pages = {"/": "grid", "/?q=tidal": "search", "/sitemap.xml": "sitemap"}
    found = {name for page, name in pages.items() if b"/p/tidal/" in Client().get(page).content}
    for path, name in (("", "page"), ("stock/", "panel"), ("reserve/", "reserve")):
        if Client().get(f"/p/tidal/{path}").status_code == 200:
            found.add(name)
    if press_reserve(Client(), product.inventory_set.get()).status_code == 303:
        found.add("sale")
    return found


EVERYWHERE = {"grid", "search", "sitemap", "page", "panel", "reserve", "sale"}


@pytest.mark.parametrize(
    ("from_now", "places"),
    [(timedelta(hours=1), set()), (timedelta(hours=-1), EVERYWHERE), (None, set())],
)
def test_a_product_is_shown_only_from_its_date_on(product, from_now, places) -> None:
    Product.objects.update(published_at=from_now and timezone.now() + from_now)
    assert seen_in(product) == places


def test_unpublishing_asks_naming_it_is_logged_and_leaves_holds_alone(manager, product) -> None:
    hold = holding(Client(), product.inventory_set.get())
    question = manager.get(f"{LIST}unpublish/?id={product.pk}").content.decode()
    assert "Unpublish Tidal?" in question
    assert Product.objects.get().is_published
    manager.post(f"{LIST}unpublish/", {"id": product.pk})
    assert Product.objects.get().published_at is None
    assert seen_in(product) == set()
    hold.refresh_from_db()
    assert hold.is_pending
    assert LogEntry.objects.get().get_change_message() == "Unpublished."
    manager.post(f"{LIST}publish/", {"id": product.pk})
    assert seen_in(product) == EVERYWHERE
    since = Product.objects.get().published_at
    again = manager.post(f"{LIST}publish/", {"id": product.pk}).content.decode()
    assert "Nothing to publish" in again
    assert "In the shop already: Tidal." in again
    assert Product.objects.get().published_at == since


def test_staff_preview_what_shoppers_do_not_see(manager, product) -> None:
    Product.objects.update(published_at=None)
    response = manager.get("/p/tidal/?preview")
    assert response.status_code == 200
    assert response.headers["X-Robots-Tag"] == "noindex"
    assert "shoppers do not see this yet" in response.content.decode()
    assert Client().get("/p/tidal/?preview").status_code == 404
    assert manager.get("/p/tidal/").status_code == 404


def test_a_preview_of_a_published_product_is_its_page(product) -> None:
    assert Client().get("/p/tidal/?preview").status_code == 200
    assert "A preview for staff" not in Client().get("/p/tidal/?preview").content.decode()


def test_a_product_with_history_is_not_deleted_and_the_reason_is_shown(manager, product) -> None:
    page = manager.get(f"{LIST}{product.pk}/delete/").content.decode()
    assert "Tidal cannot be deleted" in page
    assert "Unpublish" in page
    manager.post(f"{LIST}{product.pk}/delete/", {"post": "yes"})
    assert Product.objects.exists()


def test_a_product_without_history_is_deleted_and_its_files_a_week_later(
    manager, settings, monkeypatch, django_capture_on_commit_callbacks
) -> None:
    heard: list[list[int]] = []
    monkeypatch.setattr("catalog.admin.publish_pages", heard.append)
    manager.post(f"{LIST}add/", form())
    product = Product.objects.get()
    address = f"{LIST}{product.pk}/delete/"
    assert "Moon bowl" in manager.get(address).content.decode()
    tasks.make_sizes()
    with django_capture_on_commit_callbacks(execute=True):
        manager.post(address, {"post": "yes"})
    assert not Product.objects.exists()
    assert heard == [[product.pk]]
    assert fetched(product.image.url)[0] == 200
    a_week_later()
    assert files(settings) == set()


def test_products_have_no_bulk_delete(manager, product) -> None:
    manager.post(LIST, {"action": "delete_selected", "_selected_action": product.pk, "post": "yes"})
    assert Product.objects.exists()


def test_the_list_marks_what_is_in_the_shop(manager, product) -> None:
    for shown, there in (("yes", True), ("later", False), ("no", False)):
        page = manager.get(f"{LIST}?shown={shown}")
        assert bool(page.context["cl"].result_list) == there


def test_markup_in_a_products_texts_is_escaped_in_the_admin(manager, product) -> None:
    Product.objects.update(name="<img onerror=alert(1)>", alt='"><script>', tagline="<b>")
    # So that the front page names it.
    product.inventory_set.update(low_stock_threshold=99)
    for address in (
        LIST,
        f"{LIST}{product.pk}/change/",
        "/admin/",
        "/admin/reservations/reservation/",
    ):
        holding(Client(), product.inventory_set.get())
        page = manager.get(address).content.decode()
        assert "<img onerror" not in page
        assert '"><script>' not in page
        assert "&lt;img onerror" in page, address


# --- text of several lines ------------------------------------------------------------------------

LINES = "a" * 999 + "\r\n" + "b" * 1000  # 2,000 characters as the browser counts them


def test_a_description_may_be_as_long_as_the_browser_counts(manager) -> None:
    page = manager.get(f"{LIST}add/").content.decode()
    assert 'maxlength="2000"' in page
    answer = manager.post(f"{LIST}add/", form(description=LINES))
    assert answer.status_code == 302, errors(answer)
    assert Product.objects.get().description == LINES.replace("\r\n", "\n")


def test_one_character_more_is_refused_and_counted_the_same_way(manager) -> None:
    [message] = errors(manager.post(f"{LIST}add/", form(description=LINES + "c")))["description"]
    assert message == "At most 2000 characters: it has 2001."


def test_line_breaks_alone_do_not_change_a_description(manager, product) -> None:
    Product.objects.update(description="one\r\ntwo")
    saved(manager, product, name="New name")
    assert "escription" not in LogEntry.objects.get().get_change_message()
    assert Product.objects.get().description == "one\r\ntwo"
    saved(manager, product, description="one\r\nthree")
    assert "Description" in LogEntry.objects.latest("pk").get_change_message()


@pytest.mark.parametrize("model", list(admin.site._registry))
def test_every_textarea_of_the_admin_counts_line_breaks_once(model, rf) -> None:
    request = rf.get("/")
    request.user = User(is_superuser=True, is_active=True)
    page = admin.site._registry[model]
    fields = page.get_form(request).base_fields.values() if page.has_add_permission(request) else []
    for field in fields:
        if isinstance(field.widget, Textarea):
            assert isinstance(field, TextField), field.label
