"""Staff as the tests know them: one person of each role, signed in."""

from django.contrib.auth.models import Group, User
from django.test import Client

from allo.staff import roles

NOBODY = "nobody"
EVERYONE = (*roles.ROLES, NOBODY)


def have_roles() -> None:
    """A test that really commits empties all tables behind it, the roles' too."""
    if not Group.objects.exists():
        roles.apply()


def person(role: str) -> User:
    """Of the staff, with this role; "nobody" has none."""
    have_roles()
    user = User.objects.create_user(role.lower().replace(" ", "-"), is_staff=True)
    if role != NOBODY:
        user.groups.add(Group.objects.get(name=role))
    return user


def signed_in(role: str) -> Client:
    client = Client()
    client.force_login(person(role))
    return client
