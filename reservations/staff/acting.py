"""The admin's page that releases or extends reservations: it lists them, asks for the reason, and
acts."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse

from allo.admin_kit.questions import Questions, Verb, named
from allo.web.parts import SeeOther
from reservations.exceptions import ReservationError
from reservations.models import Reservation
from reservations.staff import verbs as by_staff
from reservations.staff.forms import ExtendForm, ReasonForm, ReleaseForm

FORMS: dict[str, type[ReasonForm]] = {"release": ReleaseForm, "extend": ExtendForm}


class HoldActions(Questions[Reservation]):
    verbs = {
        "release": Verb("Release", "reservations.release_reservation"),
        "extend": Verb("Extend", "reservations.extend_reservation"),
    }

    def ask(self, request: HttpRequest, verb: str) -> HttpResponse:
        """GET asks for confirmation, naming each hold; POST acts, and reports the result of
        each."""
        rows = self._asked_about(request)
        live = [row for row in rows if is_live(row)]
        posted = request.method == "POST"
        form = FORMS[verb](request.POST if posted else None)
        if posted and live and form.is_valid():
            self._do(request, verb, live, form.cleaned_data)
            return SeeOther(self.back(request))
        return self.render_page(
            request,
            "admin/reservations/reservation/question.html",
            status=422 if posted and live else 200,
            title=f"{verb.title()} {_count(live)}?" if live else f"Nothing to {verb}",
            verb=verb,
            form=form,
            rows=live,
            ended=[row for row in rows if not is_live(row)],
        )

    def _asked_about(self, request: HttpRequest) -> list[Reservation]:
        """The chosen reservations, or all live ones of a holder."""
        holder = request.GET.get("holder", "").replace("\0", "")
        if holder and request.method != "POST":
            live = Reservation.objects.with_stock().live().filter(holder=holder)
            return list(live.order_by("expires_at", "pk")[: self.at_once])
        return list(self.chosen(request).order_by("expires_at", "pk"))

    def _do(
        self, request: HttpRequest, verb: str, rows: list[Reservation], answers: dict[str, Any]
    ) -> None:
        assert isinstance(request.user, User)
        act: Callable[..., Reservation] = getattr(by_staff, verb)
        done = []
        for row in rows:
            seen = {"until": _shown(request, row)} if verb == "extend" else {}
            try:
                act(reservation_id=row.pk, actor=request.user, **answers, **seen)
            except ReservationError as refusal:
                text = f"{row.short_id} ({row.what}): not {_past(verb)}. {refusal}"
                messages.warning(request, text)
            else:
                done.append(row)
                self.log_change(request, row, _message(verb, answers))
        if done:
            names = named([row.what for row in done], 3)
            messages.success(request, f"{_past(verb).capitalize()} {names}.")

    def open_verbs(self, request: HttpRequest, row: Reservation) -> Sequence[str]:
        return self.allowed(request) if is_live(row) else []

    def name_of(self, row: Reservation) -> str:
        return row.short_id


def is_live(row: Reservation) -> bool:
    return row.is_pending and not row.past_due


def _shown(request: HttpRequest, row: Reservation) -> datetime | None:
    """When the hold ended as the form showed it, so that a form sent twice extends it once."""
    shown = request.POST.get(f"until-{row.pk}")
    try:
        return datetime.fromisoformat(shown) if shown else None
    except ValueError:
        raise BadRequest("not a time") from None


def _past(verb: str) -> str:
    return {"release": "released", "extend": "extended"}[verb]


def _message(verb: str, answers: dict[str, Any]) -> str:
    minutes = f" by {answers['minutes']} min" if "minutes" in answers else ""
    return f"{_past(verb).capitalize()}{minutes}: {answers['reason']}"


def _count(rows: list[Reservation]) -> str:
    return "this reservation" if len(rows) == 1 else f"these {len(rows)} reservations"
