"""The admin's pages that change stock: fill in a form, check the result, apply it."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse

from allo.admin_kit.questions import Questions, Verb
from allo.web.parts import SeeOther
from inventory.exceptions import AlreadyDone, Refused, StockError
from inventory.models import Inventory
from inventory.staff.forms import FORMS
from inventory.staff.stock_form import Line, StockForm

# More rows at once need a file of adjustments.
BULK = 500
SAID = 3
HOLDS_NAMED = 5
ROWS_WITH_HOLDS_NAMED = 10


class StockActions(Questions[Inventory]):
    """Each verb's page asks how many and why, shows the effect on each row, and applies it."""

    verbs = {verb: Verb(form.title, f"inventory.{form.permission}") for verb, form in FORMS.items()}
    at_once = BULK
    too_many = f"At most {BULK} rows. For more, import a file of adjustments."

    def ask(self, request: HttpRequest, verb: str) -> HttpResponse:
        chosen = self.chosen(request).select_related("product", "warehouse").order_by("pk")
        if not (rows := list(chosen)):
            raise Http404
        form = FORMS[verb](rows, request.POST or None)
        page: dict[str, Any] = {"rows": rows}
        if not form.is_valid() or request.POST.get("step") == "edit":
            return self._render(request, form, "form", page)
        if request.POST.get("step") == "apply" and form.was_seen():
            try:
                return self._apply(request, form)
            except StockError as refusal:
                # The form below shows the current numbers and what was refused.
                page["refusal"] = _first(refusal)
                form.rows = list(chosen.all())
        return self._checked_page(request, form, page)

    def _apply(self, request: HttpRequest, form: StockForm) -> HttpResponse:
        assert isinstance(request.user, User)
        lines = form.lines()
        try:
            form.act(request.user)
        except AlreadyDone as done:
            messages.warning(request, str(done))
        else:
            self._record(request, form, [line for line in lines if line.row.pk])
        return SeeOther(self.back(request))

    def _record(self, request: HttpRequest, form: StockForm, changed: list[Line]) -> None:
        for line in changed:
            self.log_change(request, line.row, f"{form.title}: {form.said(line)}")
        said = "; ".join(f"{line.row}, {form.said(line)}" for line in changed[:SAID])
        more = f" and {len(changed) - SAID} more" if len(changed) > SAID else ""
        messages.success(request, f"{form.done.capitalize()}: {said}{more}.")

    def _checked_page(
        self, request: HttpRequest, form: StockForm, page: dict[str, Any]
    ) -> HttpResponse:
        """Shows what would change in each row; if something is refused, the form again."""
        lines = form.lines()
        if wrong := [line for line in lines if line.error]:
            return self._render(
                request, form, "form", {**page, "wrong": list(self._with_holds(wrong))}
            )
        seen = json.dumps([(line.row.pk, line.before) for line in lines if line.row.pk])
        return self._render(request, form, "checked", {**page, "lines": lines, "seen": seen})

    def holds_of(self, row: Inventory) -> Iterable[Any]:
        """The live holds of a row, first to lapse first: see `reservations.staff.stock_admin`."""
        return ()

    def _with_holds(self, lines: list[Line]) -> Iterator[tuple[Line, list[Any]]]:
        """The holds that block each row, for the first few rows."""
        for place, line in enumerate(lines):
            named = line.held_too_much and place < ROWS_WITH_HOLDS_NAMED
            yield line, list(islice(self.holds_of(line.row), HOLDS_NAMED)) if named else []

    def _render(
        self, request: HttpRequest, form: StockForm, template: str, page: dict[str, Any]
    ) -> HttpResponse:
        title = f"{form.title} stock" if form.counts == "total" else form.title
        template = f"admin/inventory/inventory/act_{template}.html"
        return self.render_page(request, template, title=title, form=form, **page)


def _first(refusal: StockError) -> StockError:
    """The first refusal of several; each is shown with its row."""
    return next(iter(refusal.errors.values())) if isinstance(refusal, Refused) else refusal
