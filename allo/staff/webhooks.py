"""Webhooks in the admin: made with a secret that is shown once, changed, paused, and ended."""

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters

from allo.admin_kit.flags import flag
from allo.admin_kit.questions import Questions, Verb
from allo.outbox.hooks import services, signing
from allo.outbox.hooks.addresses import BadUrl, checked
from allo.outbox.hooks.catalogue import kinds
from allo.outbox.models import Webhook
from allo.web.parts import SeeOther, never_stored

CHANGE = "outbox.change_webhook"
STATES = {"live": "good", "failing": "bad", "paused": "bad"}
# Each says of one webhook whether anything was done.
ACTS: dict[str, tuple[Callable[[Webhook], object], str]] = {
    "test": (services.test, "A test event is on its way to"),
    "pause": (services.pause, "Paused"),
    "resume": (services.resume, "Resumed"),
    "end": (services.end, "Ended"),
}
OPEN = {
    "live": ("test", "rotate", "pause", "end"),
    "failing": ("test", "rotate", "pause", "end"),
    "paused": ("rotate", "resume", "end"),
    "ended": (),
}


def _plain(markdown: str) -> str:
    return markdown.replace("`", "")


def _rotated(webhook: Webhook) -> str:
    """When its secret was changed last."""
    return webhook.rotated_at.isoformat() if webhook.rotated_at else ""


class WebhookForm(forms.ModelForm):  # type: ignore[type-arg]
    kinds = forms.MultipleChoiceField(
        label="Events",
        choices=lambda: [(kind.name, f"{kind.name}: {_plain(kind.says)}") for kind in kinds()],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = Webhook
        fields = ("name", "url", "kinds")
        help_texts = {"url": "Where events are posted to, such as https://hooks.example.com/allo."}

    def clean_url(self) -> str:
        try:
            return checked(self.cleaned_data["url"])
        except BadUrl as error:
            raise ValidationError(str(error)) from None


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("live", "Live"), ("paused", "Paused"), ("ended", "Ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> QuerySet[Webhook]:
        paused = queryset.filter(ended_at=None, paused_at__isnull=False)
        states = {
            "live": queryset.filter(ended_at=None, paused_at=None),
            "paused": paused,
            "ended": queryset.filter(ended_at__isnull=False),
        }
        return states.get(self.value() or "", queryset)


@admin.register(Webhook)
class WebhookAdmin(Questions[Webhook]):
    form = WebhookForm
    list_display = ("name", "url", "told_state", "hears", "created_at")
    list_filter = (StateFilter,)
    sortable_by = ()
    search_fields = ("name", "url")
    exists_already = "Its secret was shown then. If nobody kept it, change the secret."
    verbs = {
        "test": Verb("Send a test event", CHANGE),
        "rotate": Verb("Change the secret", CHANGE),
        "pause": Verb("Pause", CHANGE),
        "resume": Verb("Resume", CHANGE),
        "end": Verb("End", CHANGE),
    }

    @admin.display(description="State")
    def told_state(self, webhook: Webhook) -> SafeString:
        return flag(webhook.state, STATES.get(webhook.state, ""))

    @admin.display(description="Events")
    def hears(self, webhook: Webhook) -> str:
        return ", ".join(webhook.kinds)

    @admin.display(description="Deliveries")
    def sent(self, webhook: Webhook) -> SafeString:
        address = reverse("admin:outbox_delivery_changelist", query={"webhook": webhook.pk})
        return format_html('<a href="{}">All deliveries to it</a>', address)

    @admin.display(description="The secret before signs until")
    def overlap(self, webhook: Webhook) -> Any:
        return signing.overlaps_until(webhook)

    def has_change_permission(self, request: HttpRequest, obj: Webhook | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.ended_at)

    def has_delete_permission(self, request: HttpRequest, obj: Webhook | None = None) -> bool:
        """Never: its deliveries refer to it."""
        return False

    def get_fields(self, request: HttpRequest, obj: Webhook | None = None) -> Any:
        own = ("name", "url", "kinds")
        return (*own, *self.get_readonly_fields(request, obj)) if obj else own

    def get_readonly_fields(self, request: HttpRequest, obj: Webhook | None = None) -> Any:
        known = ("told_state", "paused_why", "failures", "failing_since", "sent", "overlap",
                 "created_by", "created_at", "ended_at")  # fmt: skip
        return known if obj else ()

    # --- a new one, and its secret ----------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Webhook, form: Any, change: bool) -> None:
        """The secret is only in this response: not in a session, a message or a log."""
        if change:
            super().save_model(request, obj, form, change)
            return
        by: Any = request.user
        made = services.create(**form.cleaned_data, by=by, key=obj.pk)
        obj.__dict__.update(made.__dict__)

    @method_decorator(sensitive_post_parameters())
    @method_decorator(never_stored)
    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().add_view(request, *args, **kwargs)

    def response_add(
        self, request: HttpRequest, obj: Webhook, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Responds with the page itself, as a redirect would have to carry the secret."""
        return self._secret(request, obj, "A new webhook")

    def _secret(self, request: HttpRequest, webhook: Webhook, title: str) -> HttpResponse:
        template = "admin/outbox/webhook/secret.html"
        return self.render_page(request, template, title=title, webhook=webhook)

    # --- verbs ------------------------------------------------------------------------------------

    def open_verbs(self, request: HttpRequest, row: Webhook) -> Sequence[str]:
        return [verb for verb in OPEN[row.state] if verb in self.allowed(request)]

    def listed_verbs(self, request: HttpRequest, row: Webhook) -> Sequence[str]:
        return ()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """One has one secret, so that is changed on its page."""
        actions = super().get_actions(request)
        actions.pop("rotate", None)
        return actions

    @method_decorator(never_stored)
    def ask(self, request: HttpRequest, verb: str) -> HttpResponse:
        chosen = list(self.chosen(request))
        rows = [row for row in chosen if verb in OPEN[row.state]]
        if request.method == "POST" and rows:
            return self._act(request, verb, rows)
        return self.render_page(
            request,
            "admin/outbox/webhook/question.html",
            title=f"{self.verbs[verb].title}?" if rows else f"Nothing to {verb}",
            verb=verb,
            rows=rows,
            others=[f"{row} is {row.state}" for row in chosen if row not in rows],
            seen=_rotated(rows[0]) if rows else "",
        )

    def _act(self, request: HttpRequest, verb: str, rows: list[Webhook]) -> HttpResponse:
        if verb == "rotate":
            return self._rotate(request, rows[0])
        act, said = ACTS[verb]
        done = [webhook for webhook in rows if act(webhook)]
        for webhook in done:
            self.log_change(request, webhook, self.verbs[verb].title)
        messages.success(request, f"{said}: {', '.join(map(str, done)) or 'none'}")
        return SeeOther(self.back(request))

    def _rotate(self, request: HttpRequest, webhook: Webhook) -> HttpResponse:
        """Once for each page that asked: a reload of the page with the secret sends it again."""
        if request.POST.get("seen", "") != _rotated(webhook) or not services.rotate(webhook):
            messages.warning(request, f"The secret of {webhook} was changed already: it stays so.")
            return SeeOther(self.back(request))
        webhook.refresh_from_db()
        self.log_change(request, webhook, "Changed the secret")
        return self._secret(request, webhook, "The new secret")
