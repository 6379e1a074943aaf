"""Pictures in a bucket of object storage, as `MEDIA_BUCKET` has it."""

import json
import os
import re
import subprocess
import sys

import pytest
from botocore.exceptions import ClientError
from django.core.files.storage import default_storage
from django.test import Client

from allo.live.rooms.serving import _policy
from catalog import pictures, tasks
from catalog.models import Product, ReplacedPicture, sized
from tests.catalog.object_storage import ObjectStorage, object_storage
from tests.running import PROJECT
from tests.shopping import HTMX
from tests.staff.forms import sent
from tests.staff.people import signed_in
from tests.staff.test_products import LIST, form, photograph, upload

pytestmark = pytest.mark.django_db

READ = """
import json; from allo import settings as s
print(json.dumps([s.MEDIA_URL, s.MEDIA_ORIGIN, s.STORAGES, s.CONTENT_SECURITY_POLICY], default=str))
"""
SHOWN = "https://media.shop.example/pictures"
ORIGIN = "https://media.shop.example"


def settings_of(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", READ], cwd=PROJECT, env=os.environ | environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _no_lower_priority(monkeypatch) -> None:
    """Sizes would wait for all other tests."""
    monkeypatch.setattr(tasks, "_after_all_others", lambda: None)


@pytest.fixture
def bucket(settings, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with object_storage() as server:
        done = settings_of(MEDIA_BUCKET="shop", MEDIA_ENDPOINT=server.url, MEDIA_URL=SHOWN)
        assert done.returncode == 0, done.stderr
        settings.MEDIA_URL, settings.MEDIA_ORIGIN, storages, policy = json.loads(done.stdout)
        settings.STORAGES = settings.STORAGES | {"default": storages["default"]}
        settings.CONTENT_SECURITY_POLICY = policy
        yield server


def names(bucket: ObjectStorage) -> set[str]:
    return {path.removeprefix("/shop/") for path in bucket.files}


def test_a_picture_lives_in_the_bucket_from_the_upload_to_its_end(bucket) -> None:
    manager = signed_in("Manager")
    assert manager.post(f"{LIST}add/", form(image=upload(photograph(900, 1200)))).status_code == 302
    tasks.make_sizes()
    product = Product.objects.get()
    small = sized(product.image.name, 400)
    assert names(bucket) >= {product.image.name, small}
    assert set(bucket.caching.values()) == {"public, max-age=31536000, immutable"}
    Product.objects.update(published_at="2026-01-01T00:00Z")
    page = Client().get(product.get_absolute_url())
    text = page.content.decode()
    assert f'<meta property="og:image" content="{SHOWN}/{product.image.name}">' in text
    assert f"{SHOWN}/{small} 400w" in text
    # Neither the directives nor their sources have an order.
    (allowed,) = re.findall(r"img-src ([^;]*)", page.headers["Content-Security-Policy"])
    assert set(allowed.split()) == {"'self'", "data:", ORIGIN}
    # Replaced before its sizes were made, as far as anybody knew then.
    pictures.retire(product.image.name, None)
    ReplacedPicture.objects.update(replaced_at="2026-01-01T00:00Z")
    Product.objects.update(image="products/other.webp")
    pictures.remove_retired()
    assert bucket.files == {}


def test_while_the_bucket_is_away_nothing_is_saved_and_staff_see_why(bucket) -> None:
    manager = signed_in("Manager")
    manager.post(f"{LIST}add/", form(image=upload(photograph())))
    product = Product.objects.get()
    before = (product.name, product.image.name, names(bucket))
    bucket.is_busy = True
    page = manager.get(f"{LIST}{product.pk}/change/")
    fields = sent(page, "product_form", name="Renamed", image=upload(photograph(910, 1200)))
    again = manager.post(f"{LIST}{product.pk}/change/", fields, headers=HTMX)
    assert "The picture could not be stored, and nothing was saved." in again.content.decode()
    assert sent(again, "product_form")["name"] == "Renamed"
    product = Product.objects.get()
    assert (product.name, product.image.name, names(bucket)) == before
    # No size is given up for that; the clock's next run makes it.
    with pytest.raises(ClientError):
        tasks.make_sizes()
    bucket.is_busy = False
    tasks.make_sizes()
    assert Product.objects.get().widths == [200, 400, 640]


def test_a_picture_of_the_waiting_room_may_come_from_another_origin(settings) -> None:
    settings.MEDIA_ORIGIN = ORIGIN
    assert f"img-src 'self' {ORIGIN} data:;" in _policy(None)[1].decode()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"MEDIA_BUCKET": "shop"}, "MEDIA_BUCKET needs MEDIA_URL"),
        ({"MEDIA_URL": "pictures"}, 'MEDIA_URL is "pictures/"; give an address'),
        ({"MEDIA_URL": "http://media.example", "HTTPS": "1"}, "that browsers reach: https://"),
        ({"MEDIA_BUCKET": "b", "MEDIA_URL": SHOWN, "PYTHONPATH": "HIDDEN"}, "needs more packages"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_start(tmp_path, environment, words) -> None:
    if environment.get("PYTHONPATH"):
        # As if boto3 were not installed.
        hide = "import sys; sys.modules['boto3'] = None; sys.modules['storages'] = None"
        (tmp_path / "sitecustomize.py").write_text(hide)
        environment = environment | {"PYTHONPATH": str(tmp_path)}
    done = settings_of(**environment)
    assert done.returncode == 1
    assert words in done.stderr


def test_without_a_bucket_pictures_are_in_a_folder() -> None:
    assert default_storage.url("a.webp") == "/media/a.webp"
