"""Events and their deliveries in the admin: what was sent, what the receiver answered, and sending
it again."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from allo.admin_kit.base import ReadOnlyAdmin
from allo.admin_kit.flags import flag
from allo.admin_kit.questions import Questions, Verb
from allo.admin_kit.search import Searched
from allo.outbox.hooks import services
from allo.outbox.hooks.catalogue import UNREAD
from allo.outbox.models import Delivery, DeliveryQuerySet, Event, Webhook
from allo.web.parts import SeeOther

STATES = {
    "waiting": DeliveryQuerySet.waiting,
    "delivered": DeliveryQuerySet.delivered,
    "given up": DeliveryQuerySet.given_up,
}


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, state.capitalize()) for state in STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        assert isinstance(queryset, DeliveryQuerySet)
        return STATES[state](queryset) if (state := self.value()) in STATES else queryset


class WebhookFilter(admin.SimpleListFilter):
    title = "webhook"
    parameter_name = "webhook"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in Webhook.objects.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        chosen = self.value() or ""
        known = chosen.isdecimal() and len(chosen) < 19
        return queryset.filter(webhook=int(chosen)) if known else queryset


def shown(data: object) -> SafeString:
    return format_html("<pre>{}</pre>", json.dumps(data, indent=2, ensure_ascii=False))


@admin.register(Delivery)
class DeliveryAdmin(Searched[Delivery], Questions[Delivery], ReadOnlyAdmin[Delivery]):
    list_display = ("created_at", "webhook", "kind", "told_state", "tries", "status", "error")
    list_filter = (StateFilter, WebhookFilter)
    list_select_related = ("event", "webhook")
    sortable_by = ()
    search_fields = ("subject",)
    search_help_text = "The id of a reservation or an order, as events name it"
    fields = (
        "webhook", "kind", "event_id_shown", "at", "data", "told_state", "tries", "tried_at",
        "next_try", "delivered_at", "given_up_at", "took_ms", "status", "answer", "error",
    )  # fmt: skip
    verbs = {"again": Verb("Send again", "outbox.send_again")}

    def found(self, words: str) -> Q:
        """By the event's subject, from its index."""
        return Q(event__in=Event.objects.filter(subject=words))

    @admin.display(description="Event")
    def kind(self, delivery: Delivery) -> str:
        return delivery.event.kind

    @admin.display(description="Its id")
    def event_id_shown(self, delivery: Delivery) -> str:
        return f"evt_{delivery.event.uid}"

    @admin.display(description="When it happened")
    def at(self, delivery: Delivery) -> datetime:
        return delivery.event.at

    @admin.display
    def data(self, delivery: Delivery) -> SafeString:
        return shown(delivery.event.data)

    @admin.display(description="State")
    def told_state(self, delivery: Delivery) -> SafeString:
        return flag(
            delivery.state, {"given up": "bad", "delivered": "good"}.get(delivery.state, "")
        )

    @admin.display
    def next_try(self, delivery: Delivery) -> datetime | None:
        return delivery.next_try_at if delivery.state == "waiting" else None

    def open_verbs(self, request: HttpRequest, row: Delivery) -> Sequence[str]:
        """What still waits comes by itself."""
        sent = row.state != "waiting" and not row.webhook.ended_at
        return self.allowed(request) if sent else []

    def ask(self, request: HttpRequest, verb: str) -> HttpResponse:
        chosen = list(self.chosen(request).select_related("event", "webhook"))
        rows = [row for row in chosen if self.open_verbs(request, row)]
        if request.method == "POST" and rows:
            for row in rows:
                self.log_change(request, services.send_again(row), f"Sends {row} again")
            messages.success(request, f"On their way again: {len(rows)}.")
            return SeeOther(self.back(request))
        return self.render_page(
            request,
            "admin/outbox/delivery/question.html",
            title="Send again?" if rows else "Nothing to send again",
            verb=verb,
            rows=rows,
            others=[
                f"Delivery {row.pk} is {row.state}, and its webhook is {row.webhook.state}"
                for row in chosen
                if row not in rows
            ],
        )


@admin.register(Event)
class EventAdmin(Searched[Event], Questions[Event], ReadOnlyAdmin[Event]):
    list_display = ("at", "kind", "subject")
    verbs = {"read": Verb("Read again", "outbox.send_again")}
    sortable_by = ()
    search_fields = ("subject",)
    search_help_text = "The id of a reservation or an order, as events name it"
    fields = ("at", "kind", "subject", "uid", "content")

    def found(self, words: str) -> Q:
        return Q(subject=words)

    def open_verbs(self, request: HttpRequest, row: Event) -> Sequence[str]:
        """Only for what was told and could not be read."""
        return self.allowed(request) if row.kind == UNREAD else []

    def ask(self, request: HttpRequest, verb: str) -> HttpResponse:
        chosen = list(self.chosen(request))
        rows = [row for row in chosen if self.open_verbs(request, row)]
        if request.method == "POST" and rows:
            for row in rows:
                self.log_change(request, row, "Read again")
                services.read_again(row)
            messages.success(request, f"To be read again: {len(rows)}.")
            return SeeOther(self.address("changelist"))
        return self.render_page(
            request,
            "admin/outbox/event/question.html",
            title="Read again?" if rows else "Nothing to read again",
            verb=verb,
            rows=rows,
            others=[f"{row} could be read" for row in chosen if row not in rows],
        )

    @admin.display(description="Data")
    def content(self, event: Event) -> SafeString:
        return shown(event.data)
