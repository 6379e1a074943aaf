"""What the shop's admin pages have in common."""

from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import AdminTextareaWidget
from django.core.exceptions import BadRequest
from django.core.paginator import Page, Paginator
from django.db import connection, models
from django.db.models import Model, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest
from django.utils.functional import cached_property

from allo.admin_kit.adding import Adding
from allo.admin_kit.editing import Editing
from allo.web.fields import TextField

if TYPE_CHECKING:
    BasePaginator = Paginator[Any]
else:
    BasePaginator = Paginator

Row = TypeVar("Row", bound=Model)

# Rows are counted exactly up to here; above it the number shown is an estimate.
COUNTED = 10_000
# From this offset on, only keys are selected first: skipping whole joined rows is slow.
DEEP = 1000

ROWS_BY_STATISTICS = "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass"


class Roughly(int):
    """An estimate of a large number, and how it is shown."""

    words: str

    def __new__(cls, number: int, words: str) -> Self:
        roughly = super().__new__(cls, number)
        roughly.words = words
        return roughly

    def __str__(self) -> str:
        return self.words


class QuickPaginator(BasePaginator):
    """Never counts a large table: a whole one is estimated from the planner's statistics, a
    filtered one is counted up to `COUNTED`."""

    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        counted = self.object_list.order_by()[: COUNTED + 1].count()
        if counted <= COUNTED:
            return counted
        if self.object_list.query.where:
            return Roughly(COUNTED, f"{COUNTED:,}+")
        rows = max(_rows_by_statistics(self.object_list.model), counted)
        return Roughly(rows, f"about {rows:,}")

    def validate_number(self, number: int | float | str) -> int:  # noqa: PYI041 -- as Django's
        """A page beyond the last is the last: rows leave the list once staff have dealt with them,
        and an error page would lose the list's filters."""
        beyond = isinstance(number, int) and number > self.num_pages
        return self.num_pages if beyond else super().validate_number(number)

    def page(self, number: int | str) -> Page[Any]:
        page = super().page(number)
        if (start := (page.number - 1) * self.per_page) >= DEEP:
            keys = self.object_list.values_list("pk", flat=True)[start : start + self.per_page]
            page.object_list = self.object_list.filter(pk__in=list(keys))
        return page


def _rows_by_statistics(model: type[Model]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(ROWS_BY_STATISTICS, [model._meta.db_table])
        return int(cursor.fetchone()[0])


class ModelAdmin(Editing[Row], Adding[Row]):
    paginator = QuickPaginator
    show_full_result_count = False
    # Facets count the whole list once for every choice of every filter.
    show_facets = admin.ShowFacets.NEVER
    formfield_overrides: ClassVar[dict[Any, Any]] = {
        models.TextField: {"form_class": TextField, "widget": AdminTextareaWidget},
    }

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Filters give a query's values to PostgreSQL, which has no text with NUL in it."""
        if any("\0" in value for _, values in request.GET.lists() for value in values):
            raise BadRequest("no text has a NUL character in it")
        return super().get_changelist_instance(request)

    def lookup_allowed(  # type: ignore[override]  # which allows that there is no request
        self, lookup: str, value: Any, request: HttpRequest
    ) -> bool:
        """Django filters a list by any field of its rows. So whoever may see the list could find
        out, letter by letter, what no page shows, such as a webhook's secret."""
        if not super().lookup_allowed(lookup, value, request):
            return False
        fields = {field.name for field in self.opts.get_fields()}
        return lookup.partition(LOOKUP_SEP)[0] not in fields or any(
            f"{lookup}{LOOKUP_SEP}".startswith(f"{name}{LOOKUP_SEP}")
            for name in map(_filters_by, self.get_list_filter(request))
        )


def _filters_by(of_list: Any) -> str:
    """The parameter of one of `list_filter`, or the field that it is about."""
    if isinstance(of_list, type):
        return str(getattr(of_list, "parameter_name", ""))
    return str(of_list if isinstance(of_list, str) else of_list[0])


class ReadOnlyAdmin(ModelAdmin[Row]):
    """Read-only, for superusers too: these rows are changed by verbs or not at all."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False


class Kept(ModelAdmin[Row]):
    """Rows that cannot always be deleted: sentences say why, instead of Django's list."""

    def in_the_way(self, row: Row) -> list[str]:
        """Why this row cannot be deleted, and where to go instead, as sentences; else nothing."""
        raise NotImplementedError

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[Any], list[Any]]:
        """Called by the delete page of one row and by the action for several."""
        if reasons := [reason for row in objs for reason in self.in_the_way(row)]:
            return [], {}, set(), reasons
        return super().get_deleted_objects(objs, request)
