"""Staff choose rows and a verb; a page asks, naming each row, before anything is done."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from allo.admin_kit.base import ModelAdmin

Row = TypeVar("Row", bound=Model)

# As many as one page of a list: what is asked about is to be read before.
AT_ONCE = 100


class Questions(ModelAdmin[Row]):
    """Gives a list an action for each verb, which leads to `<verb>/?id=…&id=…`: that page asks
    (`ask`) and, posted to, does it."""

    verbs: ClassVar[Iterable[str]]

    def allowed(self, request: HttpRequest) -> Sequence[str]:
        """The verbs that this user may use."""
        raise NotImplementedError

    def ask(self, request: HttpRequest, verb: str) -> HttpResponse:
        raise NotImplementedError

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
            verb: (partial(_begin, verb), verb, f"{verb.title()} selected …")
            for verb in self.allowed(request)
        }

    def address(self, page: str, *args: Any, **query: Any) -> str:
        """Of this model's page of that name: "changelist", "change", or a verb."""
        url = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}", args=args)
        return f"{url}?{urlencode(query, doseq=True)}" if query else url

    def back(self, rows: Sequence[Row]) -> str:
        if len(rows) == 1:
            return self.address("change", rows[0].pk)
        return self.address("changelist")

    def _asked(self, request: HttpRequest, verb: str) -> HttpResponse:
        if verb not in self.allowed(request):
            raise PermissionDenied
        return self.ask(request, verb)


def chosen(request: HttpRequest) -> list[str]:
    """The ids that the address or the question's form names, as they were sent."""
    ids = (request.POST if request.method == "POST" else request.GET).getlist("id")
    if len(ids) > AT_ONCE:
        raise BadRequest(f"{AT_ONCE} at once at the most")
    return ids


def named(names: Sequence[str], most: int) -> str:
    """A few of them, and how many more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def _begin(
    verb: str, admin: Questions[Any], request: HttpRequest, rows: QuerySet[Any]
) -> HttpResponse | None:
    ids = list(rows.order_by().values_list("pk", flat=True)[: AT_ONCE + 1])
    if len(ids) > AT_ONCE:
        messages.error(request, f"{AT_ONCE} at once at the most: select fewer.")
        return None
    return HttpResponseRedirect(admin.address(verb, id=ids))
