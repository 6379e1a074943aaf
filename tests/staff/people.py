"""Staff for tests: one signed-in person of each role."""

from django.contrib.auth.models import Group, User
from django.test import Client

from allo.staff import roles

NOBODY = "nobody"
EVERYONE = (*roles.ROLES, NOBODY)


def person(role: str) -> User:
    """A member of staff with this role; "nobody" has none."""
    user = User.objects.create_user(role.lower().replace(" ", "-"), is_staff=True)
    if role != NOBODY:
        user.groups.add(Group.objects.get(name=role))
    return user


def signed_in(role: str) -> Client:
    client = Client()
    client.force_login(person(role))
    return client
