"""The opening catalogue: once, whole, and through the ledger."""

import json
import os
import threading
from collections import Counter
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from catalog import pictures, tasks
from catalog.models import Category, Pictured, Product, ProductPicture
from inventory.availability import with_stock
from inventory.models import Inventory, StockMovement, Warehouse
from reservations.clock.audit import audit_stock

pytestmark = pytest.mark.django_db

TIDAL = {
    "slug": "tidal",
    "name": "Tidal",
    "category": "Vases & jars",
    "tagline": "Shouldered stoneware vase",
    "description": "Thrown in one piece.",
    "material": "Stoneware",
    "colour": "blue",
    "dimensions_cm": "18 × 18 × 30",
    "price_inr": 3850,
    "image": "tidal.webp",
    "width": 8,
    "height": 10,
    "alt": "A vase",
    "dominant_hex": "#c2c4be",
    "stock": {"blr-01": 6, "nag-02": 0},
    "more": [
        {
            "image": "tidal-2.webp",
            "width": 250,
            "height": 300,
            "alt": "Its rim",
            "dominant_hex": "#a1b2c3",
        }
    ],
}


@pytest.fixture(autouse=True)
def _media(settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "products").mkdir()
    Image.new("RGB", (8, 10)).save(tmp_path / "products" / "tidal.webp")
    Image.new("RGB", (250, 300)).save(tmp_path / "products" / "tidal-2.webp")
    return catalogue(tmp_path, TIDAL)


def catalogue(folder: Path, *items: dict[str, object]) -> Path:
    (folder / "catalog.json").write_text(json.dumps(items))
    return folder


def seed(folder: Path | None = None) -> str:
    out = StringIO()
    call_command("seed_catalogue", stdout=out, **({"folder": folder} if folder else {}))
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_the_shop_opens_with_its_whole_catalogue() -> None:
    assert seed().splitlines()[-1] == "Catalogue: 106 of 106 products"
    assert Product.objects.published().count() == 106
    assert Category.objects.count() == 13
    assert list(Warehouse.objects.values_list("code", "name")) == [
        ("blr-01", "Bengaluru"),
        ("del-01", "Delhi"),
        ("mum-01", "Mumbai"),
        ("hyd-01", "Hyderabad"),
    ]
    assert Inventory.objects.count() == 424
    runs = Counter(product.total for product in with_stock(Product.objects.all()))
    assert (runs[0], runs[1], max(runs)) == (4, 7, 12)
    assert set(Product.objects.values_list("width", "height")) == {(1600, 2000)}
    assert not Product.objects.filter(pictures=None).exists()
    for shown in (*Product.objects.all(), *ProductPicture.objects.all()):
        with shown.image.open() as file, Image.open(file) as image:
            assert (shown.width, shown.height) == image.size
    assert list(audit_stock()) == []


def test_a_product_is_as_the_file_says(folder) -> None:
    seed(folder)
    tidal = Product.objects.select_related("category").get()
    assert (tidal.name, tidal.price_paise, tidal.position) == ("Tidal", 385_000, 0)
    assert (tidal.category.name, tidal.category.slug) == ("Vases & jars", "vases-jars")
    assert (tidal.width, tidal.height) == (8, 10)
    assert Path(tidal.image.path).read_bytes() == (folder / "products/tidal.webp").read_bytes()
    further = tidal.pictures.get()
    assert (further.alt, further.dominant_hex, further.width) == ("Its rim", "#a1b2c3", 250)


def test_sizes_are_made_of_each_picture_in_the_order_in_which_visitors_see_them(
    folder, monkeypatch
) -> None:
    seed(catalogue(folder, TIDAL, {**TIDAL, "slug": "reef", "position": 1}))
    monkeypatch.setattr(tasks, "SECONDS", -1)  # one picture in each run
    priorities = []

    def noted(picture: Pictured) -> list[int]:
        priorities.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return make_sizes(picture)

    make_sizes, own = pictures.make_sizes, os.getpriority(os.PRIO_PROCESS, 0)
    monkeypatch.setattr(pictures, "make_sizes", noted)
    for products, further in (
        ([[], None], [None, None]),
        ([[], []], [None, None]),
        ([[], []], [[200], None]),
    ):
        tasks.make_sizes()
        assert list(Product.objects.values_list("widths", flat=True)) == products
        assert [row.widths for row in ProductPicture.objects.order_by("pk")] == further
    assert priorities == [19, 19, 19]
    assert os.getpriority(os.PRIO_PROCESS, 0) == own < 19


def test_stock_opens_through_the_ledger(folder) -> None:
    seed(folder)
    assert list(Inventory.objects.values_list("warehouse__name", "total_units")) == [
        ("Bengaluru", 6),
        ("nag-02", 0),
    ]
    opening = StockMovement.objects.get()
    assert (opening.delta, opening.reason, opening.actor) == (6, "opening", None)


def test_a_second_run_changes_nothing(folder) -> None:
    """Nor does one of a later version: what the shop has made of its products stays."""
    seed(folder)
    Product.objects.update(name="Renamed by staff")
    ProductPicture.objects.all().delete()
    before = list(Product.objects.values())
    Image.new("RGB", (16, 20)).save(folder / "products" / "tidal.webp")
    catalogue(folder, {**TIDAL, "stock": {"blr-01": 2, "nag-02": 1}})
    assert seed(folder) == "Catalogue: all 1 products are there\n"
    assert list(Product.objects.values()) == before
    assert StockMovement.objects.count() == 1
    assert not ProductPicture.objects.exists()
    assert len(list((folder / "media/products").iterdir())) == 2


def test_a_warehouse_that_staff_gave_a_code_of_their_own_does_not_come_back(folder) -> None:
    seed(folder)
    Warehouse.objects.filter(code="blr-01").update(code="BLR-NORTH")
    seed(folder)
    assert sorted(Warehouse.objects.values_list("code", flat=True)) == ["BLR-NORTH", "nag-02"]


def test_products_added_to_the_file_are_seeded(folder) -> None:
    seed(folder)
    catalogue(folder, TIDAL, {**TIDAL, "slug": "reef", "category": "Bowls"})
    assert seed(folder) == "Catalogue: 1 of 1 products\n"
    assert list(Product.objects.values_list("slug", "position")) == [("tidal", 0), ("reef", 1)]
    assert list(Category.objects.values_list("name", "position")) == [
        ("Vases & jars", 0),
        ("Bowls", 1),
    ]


def cut_off(folder: Path) -> None:
    picture = folder / "products/tidal-2.webp"
    picture.write_bytes(picture.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("break_it", "named"),
    [
        (lambda f: (f / "catalog.json").unlink(), "catalog.json: No such file"),
        (lambda f: (f / "catalog.json").write_text("[{]"), "catalog.json is not a catalogue"),
        (lambda f: catalogue(f, {"slug": "x"}), "catalog.json is not a catalogue: KeyError"),
        (lambda f: (f / "products/tidal.webp").unlink(), "tidal.webp: No such file"),
        (lambda f: (f / "products/tidal.webp").write_text("no"), "tidal.webp is not a whole"),
        (cut_off, "tidal-2.webp is not a whole"),
        (lambda f: (f / "products/tidal-2.webp").unlink(), "tidal-2.webp: No such file"),
    ],
)
def test_a_missing_or_broken_file_is_named(folder, break_it, named) -> None:
    break_it(folder)
    with pytest.raises(CommandError, match=named):
        seed(folder)
    assert not Product.objects.exists()
