"""Pages of the admin: what they show, and the page that they lead back to."""

from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from django import forms
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.db import models
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from allo.admin_kit.generic import GenericAdmin
from allo.web.fields import LineField
from allo.web.names import text_is_visible

Row = TypeVar("Row", bound=Model)

# The parameter with the address of the page before.
BACK = "back"
# Longer than any list's filters; an address that is too long would be refused as a whole.
LONGEST_BACK = 1500
LIST_FILTERS = "_changelist_filters"  # Django's own name


def with_back(request: HttpRequest, address: str, **query: Any) -> str:
    """An address that leads back to the page of this request, with its filters, order and page."""
    here = request.get_full_path()
    back = {BACK: here} if len(here) <= LONGEST_BACK else {}
    asked = urlencode({**query, **back}, safe=",/")
    return f"{address}?{asked}" if asked else address


def back_from(request: HttpRequest, otherwise: str) -> str:
    """The page before, if the address names one inside the admin."""
    there = request.GET.get(BACK, "")
    ours = there.startswith(reverse("admin:index"))
    return there if ours and url_has_allowed_host_and_scheme(there, None) else otherwise


class Pages(GenericAdmin[Row]):
    def address(self, page: str, *args: Any, **query: Any) -> str:
        """The address of this model's page "changelist", "change", or one of its own."""
        url = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}", args=args)
        return f"{url}?{urlencode(query, safe=',')}" if query else url

    def back(self, request: HttpRequest) -> str:
        return back_from(request, self.address("changelist"))

    def list_address(self, request: HttpRequest) -> str:
        """The list with the filters it had when this page was opened from it."""
        there, plain = urlsplit(self.back(request)), self.address("changelist")
        if there.path == plain:
            return self.back(request)
        filters = QueryDict(there.query).get(LIST_FILTERS) or request.GET.get(LIST_FILTERS)
        return f"{plain}?{filters}" if filters else plain

    def keeping_filters(self, request: HttpRequest, address: str) -> str:
        """The address with the filters of the list from which this page was opened."""
        kept: Any = {"preserved_filters": self.get_preserved_filters(request), "opts": self.opts}
        return str(add_preserved_filters(kept, address))

    def formfield_for_dbfield(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> forms.Field | None:
        """Refuses text that no page could show, in names as in all else."""
        if type(db_field) is models.CharField:
            kwargs.setdefault("form_class", LineField)
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(field, forms.CharField) and not isinstance(field, LineField):
            field.validators.append(text_is_visible)
        return field

    def page_context(self, request: HttpRequest, row: Row) -> dict[str, Any]:
        """What the page of one row shows besides its fields."""
        return {}

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **more: Any
    ) -> HttpResponse:
        if row := context.get("original"):
            context.update(self.page_context(request, row))
        return super().render_change_form(request, context, *args, **more)

    def render_page(
        self, request: HttpRequest, template: str, *, status: int = 200, **context: Any
    ) -> HttpResponse:
        """A page of its own within the admin's frame."""
        frame = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "back": self.back(request),
            "list_address": self.list_address(request),
        }
        return render(request, template, {**frame, **context}, status=status)
