from django.contrib import admin
from django.db.models import Q

from allo.admin_kit.base import ReadOnlyAdmin
from allo.admin_kit.search import Searched
from checkout.models import Contact
from reservations.staff.console import EIGHT, ids_beginning, named_id


@admin.register(Contact)
class ContactAdmin(Searched[Contact], ReadOnlyAdmin[Contact]):
    list_display = ("reservation_id", "name", "email", "changed_at")
    search_fields = ("name",)
    search_help_text = "E-mail, how a name begins, or a reservation's id or its first 8 characters"

    def found(self, words: str) -> Q:
        """Each condition is read from an index of its own."""
        if "@" in words:
            return Q(email__iexact=words)
        if one := named_id(words):
            return Q(pk=one)
        condition = Q(name__istartswith=words)
        if EIGHT.fullmatch(words):
            condition |= Q(pk__range=ids_beginning(words.lower()))
        return condition
