"""Each role has the permissions that the table says."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

from allo.staff import roles
from tests.migrations import before
from tests.staff.people import EVERYONE, signed_in

pytestmark = pytest.mark.django_db

MANAGER = {"Manager"}


@pytest.mark.parametrize("role", EVERYONE)
def test_starting_an_audit_needs_the_permission(role, monkeypatch) -> None:
    asked: list[tuple[str, bool]] = []

    def ask(task: Any, whole: bool) -> bool:
        asked.append((task.name, whole))
        return True

    monkeypatch.setattr("reservations.staff.records.ask", ask)
    response = signed_in(role).post("/admin/reservations/auditrun/run/")
    assert response.status_code == (303 if role in MANAGER else 403)
    both = [("reservations.clock.tasks.audit_stock", True), ("checkout.tasks.audit_money", True)]
    assert asked == (both if role in MANAGER else [])


def test_the_groups_are_those_of_the_table() -> None:
    assert set(Group.objects.values_list("name", flat=True)) == set(roles.ROLES)


@pytest.mark.parametrize("role", roles.ROLES)
def test_a_group_has_just_the_permissions_of_the_table(role) -> None:
    """Permissions of later migrations too: `apply` creates them, or names a missing one."""
    roles.apply()
    permissions = Permission.objects.filter(group__name=role).select_related("content_type")
    names = {f"{p.content_type.app_label}.{p.codename}" for p in permissions}
    assert names == set(roles.ROLES[role])


def test_every_permission_of_the_shop_that_views_or_acts_has_a_role() -> None:
    """No role may add, change or delete records; every other permission belongs to a role."""
    named = {name for role in roles.ROLES.values() for name in role}
    for app in ("catalog", "inventory", "reservations", "checkout", "outbox"):
        for model in apps.get_app_config(app).get_models():
            own = {codename for codename, _ in model._meta.permissions}
            if "view" in model._meta.default_permissions:
                own.add(f"view_{model._meta.model_name}")
            wanted = {f"{app}.{name}" for name in own}
            assert wanted <= named


def test_prepare_restores_permissions_changed_by_hand() -> None:
    viewer = Group.objects.get(name="Viewer")
    viewer.permissions.set(Permission.objects.filter(codename="delete_product"))
    roles.apply()
    assert not viewer.permissions.filter(codename="delete_product").exists()
    assert viewer.permissions.filter(codename="view_product").exists()


def test_a_role_that_names_what_does_not_exist_is_refused(monkeypatch) -> None:
    monkeypatch.setitem(roles.ROLES, "Viewer", ("catalog.fly_product",))
    with pytest.raises(roles.UnknownPermission, match=r"Viewer: catalog\.fly_product"):
        roles.apply()


@pytest.mark.django_db(transaction=True)
def test_roles_of_an_older_version_get_their_new_permissions() -> None:
    viewer = Group.objects.get(name="Viewer")
    with before("allo", "0008_roles_see_accounts"):
        viewer.permissions.remove(*Permission.objects.filter(codename="view_message"))
    assert viewer.permissions.filter(codename="view_message").exists()
