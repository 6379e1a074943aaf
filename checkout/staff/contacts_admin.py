from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from allo.admin_kit.base import ReadOnlyAdmin
from checkout.models import Contact
from reservations.staff.console import EIGHT, ids_beginning, named_id


@admin.register(Contact)
class ContactAdmin(ReadOnlyAdmin[Contact]):
    list_display = ("reservation_id", "name", "email", "changed_at")
    search_fields = ("name",)  # shows the field; what it finds is up to `get_search_results`
    search_help_text = "E-mail, how a name begins, or a reservation's id or its first 8 characters"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Contact], search_term: str
    ) -> tuple[QuerySet[Contact], bool]:
        words = search_term.strip().replace("\0", "")
        return (queryset.filter(_named(words)) if words else queryset), False


def _named(words: str) -> Q:
    """Each is read from an index of its own."""
    if "@" in words:
        return Q(email__iexact=words)
    if one := named_id(words):
        return Q(pk=one)
    condition = Q(name__istartswith=words)
    if EIGHT.fullmatch(words):
        condition |= Q(pk__range=ids_beginning(words.lower()))
    return condition
