"""The admin's pages that change stock: fill in, check what would become of it, apply."""

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse

from allo.admin_kit.base import ModelAdmin
from inventory.exceptions import AlreadyDone, Refused, StockError
from inventory.models import Inventory
from inventory.staff.forms import FORMS, Line, StockForm

# More at once are a file's business.
BULK = 500
LARGEST_KEY = 2**63
SAID = 3
HOLDS_NAMED = 5
ROWS_WITH_HOLDS_NAMED = 10

Action = tuple[Callable[..., HttpResponse | None], str, str]


class StockActions(ModelAdmin[Inventory]):
    """Each verb's page for one row, `<id>/<verb>/`, and for many, `bulk/<verb>/?ids=`."""

    def get_urls(self) -> list[URLPattern]:
        pages = []
        for verb in FORMS:
            name = f"inventory_inventory_{verb}"
            one = self.admin_site.admin_view(partial(self.act_on_one, verb=verb))
            many = self.admin_site.admin_view(partial(self.act_on_many, verb=verb))
            pages += [
                path(f"<int:pk>/{verb}/", one, name=name),
                path(f"bulk/{verb}/", many, name=f"{name}_many"),
            ]
        return [*pages, *super().get_urls()]

    def get_actions(self, request: HttpRequest) -> dict[str, Action]:  # type: ignore[override]
        allowed = verbs_of(request)
        return {
            verb: (
                lambda _, request, rows, verb=verb: begin(verb, request, rows),
                verb,
                f"{FORMS[verb].title} …",
            )
            for verb in allowed
        }

    def act_on_one(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        return self._page(request, verb, [pk], _change_address(pk))

    def act_on_many(self, request: HttpRequest, verb: str) -> HttpResponse:
        try:
            ids = [int(pk) for pk in request.GET.get("ids", "").split(",")]
        except ValueError as error:
            raise BadRequest("ids are numbers") from error
        if len(ids) > BULK:
            raise BadRequest(f"{BULK} rows at the most")
        return self._page(request, verb, ids, reverse("admin:inventory_inventory_changelist"))

    def _page(self, request: HttpRequest, verb: str, ids: list[int], back: str) -> HttpResponse:
        if verb not in verbs_of(request):
            raise PermissionDenied
        rows = list(_rows(ids))
        if not rows:
            raise Http404
        form = FORMS[verb](rows, request.POST or None)
        page: dict[str, Any] = {"back": back, "rows": rows}
        if not form.is_valid() or request.POST.get("step") == "edit":
            return self._form_page(request, form, page)
        if request.POST.get("step") == "apply" and form.was_seen():
            try:
                return self._apply(request, form, back)
            except StockError as refusal:
                # What stood against it is shown below, as things are now.
                page["refusal"] = _first(refusal)
                form.rows = list(_rows(ids))
        return self._checked_page(request, form, page)

    def _apply(self, request: HttpRequest, form: StockForm, back: str) -> HttpResponse:
        assert isinstance(request.user, User)
        lines = form.lines()
        try:
            form.act(request.user)
        except AlreadyDone as done:
            self.message_user(request, str(done), messages.WARNING)
            return HttpResponseRedirect(back)
        changed = [line for line in lines if line.row.pk]
        for line in changed:
            self.log_change(request, line.row, f"{form.title}: {form.said(line)}")
        said = "; ".join(f"{line.row}, {form.said(line)}" for line in changed[:SAID])
        more = f" and {len(changed) - SAID} more" if len(changed) > SAID else ""
        self.message_user(request, f"{form.done.capitalize()}: {said}{more}.", messages.SUCCESS)
        return HttpResponseRedirect(back)

    def _checked_page(
        self, request: HttpRequest, form: StockForm, page: dict[str, Any]
    ) -> HttpResponse:
        """What would become of each row; with something against it, the form again."""
        lines = form.lines()
        if wrong := [line for line in lines if line.error]:
            return self._form_page(request, form, {**page, "wrong": list(self._with_holds(wrong))})
        seen = json.dumps([(line.row.pk, line.before) for line in lines if line.row.pk])
        return self._render(request, form, "checked", {**page, "lines": lines, "seen": seen})

    def holds_of(self, row: Inventory) -> Iterable[Any]:
        """What is reserved of a row, first to lapse first; known a layer above."""
        return ()

    def _with_holds(self, lines: list[Line]) -> Iterator[tuple[Line, list[Any]]]:
        """Each line with the holds that are in its way, of the first few lines."""
        for place, line in enumerate(lines):
            named = line.held_too_much and place < ROWS_WITH_HOLDS_NAMED
            yield line, list(islice(self.holds_of(line.row), HOLDS_NAMED)) if named else []

    def _form_page(
        self, request: HttpRequest, form: StockForm, page: dict[str, Any]
    ) -> HttpResponse:
        return self._render(request, form, "form", page)

    def _render(
        self, request: HttpRequest, form: StockForm, template: str, page: dict[str, Any]
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{form.title} stock" if form.counts == "total" else form.title,
            "form": form,
            "media": self.media,
            **page,
        }
        return render(request, f"admin/inventory/inventory/act_{template}.html", context)


def _first(refusal: StockError) -> StockError:
    """Of several that stand against it, the first; each is shown with its row."""
    return next(iter(refusal.errors.values())) if isinstance(refusal, Refused) else refusal


def _change_address(pk: int) -> str:
    return reverse("admin:inventory_inventory_change", args=[pk])


def _rows(ids: list[int]) -> QuerySet[Inventory]:
    return (
        Inventory.objects.with_available()
        .filter(pk__in=[pk for pk in ids if pk < LARGEST_KEY])
        .select_related("product", "warehouse")
        .order_by("pk")
    )


def verbs_of(request: HttpRequest) -> list[str]:
    """What this member of staff may do to stock."""
    user = request.user
    return [v for v, form in FORMS.items() if user.has_perm(f"inventory.{form.permission}")]


def begin(verb: str, request: HttpRequest, rows: QuerySet[Inventory]) -> HttpResponse | None:
    """An action of the list leads to the page that asks how many and why."""
    ids = [str(pk) for pk in rows.order_by("pk").values_list("pk", flat=True)[: BULK + 1]]
    if len(ids) > BULK:
        words = f"{BULK} rows at the most; more are a matter for a file of adjustments."
        messages.error(request, words)
        return None
    address = reverse(f"admin:inventory_inventory_{verb}_many")
    return HttpResponseRedirect(f"{address}?ids={','.join(ids)}")
