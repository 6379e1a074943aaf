"""Users in the admin: Django's pages, plus a check before one is deleted."""

from typing import TYPE_CHECKING

from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.html import format_html

from allo.admin_kit.base import Kept
from reservations.models import Reservation

if TYPE_CHECKING:
    Users = UserAdmin[User]
else:
    Users = UserAdmin


class UserWithHolds(Kept[User], Users):
    """A user who holds something cannot be deleted: nobody could pay or release that any more.
    `allo.staff.users` registers it."""

    def in_the_way(self, row: User) -> list[str]:
        holder = f"user:{row.pk}"
        holds = Reservation.objects.live().filter(holder=holder).count()
        if not holds:
            return []
        return [
            format_html(
                '{} holds <a href="{}?q={}">{} live reservation{}</a>. Release them first, or wait'
                " until they are paid or have run out. An account that is no longer active cannot"
                " sign in meanwhile.",
                row,
                reverse("admin:reservations_reservation_changelist"),
                holder,
                holds,
                "" if holds == 1 else "s",
            )
        ]
