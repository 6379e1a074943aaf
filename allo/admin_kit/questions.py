"""Staff choose rows and a verb; a page names each row and asks for confirmation before anything is
done. Then they are back on the page where they began."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, NamedTuple, TypeVar

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from allo.admin_kit.base import ModelAdmin
from allo.admin_kit.pages import with_back

Row = TypeVar("Row", bound=Model)

# One page of a list, so that staff can read what they confirm.
AT_ONCE = 100


class Verb(NamedTuple):
    """A verb that only shows something asks nothing, so its links have no "…"."""

    title: str
    permission: str
    asks: bool = True

    @property
    def leads(self) -> str:
        return " …" if self.asks else ""


class Questions(ModelAdmin[Row]):
    """Gives a list an action for each verb, and each row's page a link. Both lead to
    `<verb>/?id=…,…`, which `ask` serves: GET asks for confirmation, POST acts."""

    verbs: ClassVar[Mapping[str, Verb]]
    at_once: ClassVar[int] = AT_ONCE
    too_many: ClassVar[str] = f"At most {AT_ONCE} at once. Select fewer."

    def ask(self, request: HttpRequest, verb: str) -> HttpResponse:
        """Asks for confirmation, or acts and redirects to `self.back(request)`."""
        raise NotImplementedError

    def allowed(self, request: HttpRequest) -> Sequence[str]:
        """The verbs that this user may use."""
        may = request.user.has_perm
        return [name for name, verb in self.verbs.items() if may(verb.permission)]

    def open_verbs(self, request: HttpRequest, row: Row) -> Sequence[str]:
        """The allowed verbs that apply to the row in its current state."""
        return self.allowed(request)

    def listed_verbs(self, request: HttpRequest, row: Row) -> Sequence[str]:
        """Those of them in the list's last column."""
        return self.open_verbs(request, row)

    def name_of(self, row: Row) -> str:
        return str(row)

    # --- links to the page ----------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        pages = [
            path(
                f"{verb}/",
                self.admin_site.admin_view(partial(self._asked, verb=verb)),
                name=f"{self.opts.app_label}_{self.opts.model_name}_{verb}",
            )
            for verb in self.verbs
        ]
        return [*pages, *super().get_urls()]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {
            name: (partial(_begin, name), name, f"{verb.title} selected{verb.leads}")
            for name, verb in self.verbs.items()
            if name in self.allowed(request)
        }

    def links(self, request: HttpRequest, row: Row, verbs: Sequence[str]) -> list[tuple[str, str]]:
        """Title and address of what can be done to this row."""
        return [
            (self.verbs[verb].title, with_back(request, self.address(verb), id=row.pk))
            for verb in verbs
        ]

    def page_context(self, request: HttpRequest, row: Row) -> dict[str, Any]:
        names = self.open_verbs(request, row)
        links = zip(names, self.links(request, row, names), strict=True)
        return {"verbs": [(title + self.verbs[name].leads, to) for name, (title, to) in links]}

    def do_columns(self, request: HttpRequest) -> list[Callable[[Row], SafeString]]:
        """The list's last column, a button for each verb; none for those who may do nothing."""

        @admin.display(description="Do")
        def do(row: Row) -> SafeString:
            button = '<a class="row-verb" href="{}" aria-label="{} {}">{}</a>'
            links = self.links(request, row, self.listed_verbs(request, row))
            cells = ((address, title, self.name_of(row), title) for title, address in links)
            return format_html_join(" ", button, cells)

        return [do] if self.allowed(request) else []

    # --- the page -------------------------------------------------------------------------------

    def chosen(self, request: HttpRequest) -> QuerySet[Row]:
        """The rows that the question's form names, or else the address."""
        named = request.POST.getlist("id") or request.GET.getlist("id")
        texts = [text for several in named for text in several.split(",")]
        if len(texts) > self.at_once:
            raise BadRequest(f"{self.at_once} at once at the most")
        try:
            keys = [self.opts.pk.clean(text, None) for text in texts]
        except ValidationError:
            raise BadRequest("not an id") from None
        return self.get_queryset(request).filter(pk__in=keys)

    def _asked(self, request: HttpRequest, verb: str) -> HttpResponse:
        if verb not in self.allowed(request):
            raise PermissionDenied
        return self.ask(request, verb)


def named(names: Sequence[str], most: int) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def _begin(
    verb: str, admin: Questions[Any], request: HttpRequest, rows: QuerySet[Any]
) -> HttpResponse | None:
    if not (ids := _picked(admin, request, rows)):
        messages.warning(request, "Nothing is left in this list.")
        return None
    if len(ids) > admin.at_once:
        messages.error(request, admin.too_many)
        return None
    return HttpResponseRedirect(with_back(request, admin.address(verb), id=",".join(ids)))


def _picked(admin: Questions[Any], request: HttpRequest, rows: QuerySet[Any]) -> list[str]:
    """The keys of the ticked rows, or of all in the list, up to one too many. Django drops ticked
    rows that have left the filtered list since; the question names them."""
    if request.POST.get("select_across") != "1":
        return request.POST.getlist(ACTION_CHECKBOX_NAME)
    keys = rows.order_by("pk").values_list("pk", flat=True)
    return [str(pk) for pk in keys[: admin.at_once + 1]]
