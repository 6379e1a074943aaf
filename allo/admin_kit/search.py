"""The search of a list whose admin decides what words find."""

from typing import TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from allo.admin_kit.base import ModelAdmin

Row = TypeVar("Row", bound=Model)


class Searched(ModelAdmin[Row]):
    """`search_fields` only shows the search field; what it finds is up to `found`."""

    def found(self, words: str) -> Q:
        raise NotImplementedError

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Row], search_term: str
    ) -> tuple[QuerySet[Row], bool]:
        words = search_term.strip().replace("\0", "")
        return (queryset.filter(self.found(words)) if words else queryset), False
