"""Mail in the admin: that and when something was sent. What it says is not shown, since it may
contain a code or a signed link."""

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from allo.admin_kit.base import ReadOnlyAdmin
from allo.admin_kit.flags import flag
from allo.admin_kit.search import Searched
from allo.outbox import services as outbox
from allo.outbox.models import Message, MessageQuerySet
from allo.web.parts import SeeOther

STATES = {
    "waiting": MessageQuerySet.waiting,
    "given up": MessageQuerySet.given_up,
    "sent": MessageQuerySet.sent,
}


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, state.capitalize()) for state in STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Message]) -> QuerySet[Message]:
        assert isinstance(queryset, MessageQuerySet)
        return STATES[state](queryset) if (state := self.value()) in STATES else queryset


@admin.register(Message)
class MessageAdmin(Searched[Message], ReadOnlyAdmin[Message]):
    change_list_template = "admin/outbox/message/change_list.html"
    list_display = ("created_at", "told_state", "to", "about", "tries", "error", "sent_at")
    list_filter = (StateFilter,)
    sortable_by = ()
    search_fields = ("to",)
    search_help_text = "How an e-mail address begins"
    fields = (
        "created_at", "about", "to", "told_state", "sent_at", "tries", "next_try", "error",
    )  # fmt: skip

    def found(self, words: str) -> Q:
        return Q(to__istartswith=words)

    @admin.display(description="State")
    def told_state(self, message: Message) -> SafeString:
        return flag(message.state, {"given up": "bad", "sent": "good"}.get(message.state, ""))

    @admin.display(description="Kind")
    def about(self, message: Message) -> str:
        return message.about

    @admin.display
    def next_try(self, message: Message) -> datetime | None:
        return message.next_try_at if message.state == "waiting" else None

    def get_urls(self) -> list[URLPattern]:
        retry = self.admin_site.admin_view(self.retry)
        return [path("retry/", retry, name="outbox_message_retry"), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may = {"may_retry": request.user.has_perm("outbox.retry_message"), "title": "Messages"}
        return super().changelist_view(request, {**may, **(extra_context or {})})

    def retry(self, request: HttpRequest) -> HttpResponse:
        if not request.user.pk or not request.user.has_perm("outbox.retry_message"):
            raise PermissionDenied
        if request.method == "POST":
            with transaction.atomic():
                anew = outbox.retry_given_up()
                LogEntry.objects.log_actions(request.user.pk, anew, CHANGE, "Tried again")
            messages.success(request, f"Messages to be tried again: {len(anew)}.")
        return SeeOther(self.back(request))
