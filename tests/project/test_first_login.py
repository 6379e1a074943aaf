"""The first admin login, which every start makes if nobody may do everything."""

import errno
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from allo.embedded.state import write_private
from allo.management.commands import prepare
from allo.management.commands.prepare import Command

pytestmark = pytest.mark.django_db


def test_there_is_always_somebody_who_may_do_everything(settings, tmp_path) -> None:
    settings.STATE_DIR = tmp_path
    for name in ("admin", "admin-2", "admin-3"):
        for _again in range(2):
            Command()._ensure_admin()
        login, password = (tmp_path / "admin-password").read_text().strip().split(", password ")
        [user] = User.objects.filter(is_superuser=True, is_active=True)
        assert (user.username, login) == (name, name)
        assert user.check_password(password)
        # One may be made a manager, and the next one may leave.
        User.objects.filter(pk=user.pk).update(is_superuser=False, is_active=name == "admin")


def test_no_login_is_made_whose_password_cannot_be_kept(settings, tmp_path, monkeypatch) -> None:
    settings.STATE_DIR = tmp_path

    def full(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(prepare, "write_private", full)
    with pytest.raises(OSError, match="No space left"):
        Command()._ensure_admin()
    assert not User.objects.exists()
    monkeypatch.setattr(prepare, "write_private", write_private)
    Command()._ensure_admin()
    password = (tmp_path / "admin-password").read_text().strip().split(", password ")[1]
    assert User.objects.get(is_superuser=True).check_password(password)
