from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from allo.recovery.taking import take
from tests.recovery.backups import PICTURE


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backups")


@pytest.fixture(autouse=True)
def _a_place_of_its_own(settings: Any, tmp_path: Path) -> None:
    settings.STATE_DIR = tmp_path / "shop"
    settings.MEDIA_ROOT = settings.STATE_DIR / "media"
    settings.SECRET_KEY = "the key of the shop" * 4


@pytest.fixture
def whole(folder: Path, db: None) -> Path:
    """Of the tables of the tests, which are empty; taken once."""
    if not (path := folder / "whole.zip").exists():
        default_storage.save(PICTURE, ContentFile(b"a picture of a vase"))
        take(path)
        default_storage.delete(PICTURE)
    return path
