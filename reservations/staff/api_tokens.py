"""API tokens in the admin: created, shown once, and revoked; never edited."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from allo.admin_kit.questions import Questions, Verb
from allo.web.parts import SeeOther, never_stored
from reservations.api import tokens
from reservations.models import ApiToken


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]
    scopes = forms.MultipleChoiceField(
        choices=ApiToken.Scope.choices, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = ApiToken
        fields = ("name", "scopes", "rate", "max_units")


class RevokedFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("live", "Live"), ("revoked", "Revoked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> QuerySet[ApiToken]:
        if self.value() in {"live", "revoked"}:
            return queryset.filter(revoked_at__isnull=self.value() == "live")
        return queryset


@admin.register(ApiToken)
class ApiTokenAdmin(Questions[ApiToken]):
    form = TokenForm
    list_display = ("name", "shown_prefix", "may", "rate", "max_units", "last_used_at", "state")
    list_filter = (RevokedFilter,)
    search_fields = ("name", "prefix")
    exists_already = "Its secret was shown then. If nobody kept it, revoke it and add another."
    verbs = {"revoke": Verb("Revoke", "reservations.change_apitoken")}
    fields = ("name", "scopes", "rate", "max_units")

    @admin.display(description="token")
    def shown_prefix(self, token: ApiToken) -> str:
        return f"{token.prefix}…"

    @admin.display(description="scopes")
    def may(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)

    @admin.display(ordering="revoked_at")
    def state(self, token: ApiToken) -> str:
        return "revoked" if token.revoked_at else "live"

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        """Tokens are not edited; the change permission is the permission to revoke."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return super().has_view_permission(request, obj) or bool(self.allowed(request))

    def has_delete_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        """Never: its reservations refer to it."""
        return False

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        if obj is None:
            return self.fields
        return (
            "name", "shown_prefix", "may", "rate", "max_units", "created_by", "created_at",
            "last_used_at", "revoked_at",
        )  # fmt: skip

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        """The secret is only in this response: not in a session, a message or a log."""
        by: Any = request.user
        made, secret = tokens.create(**form.cleaned_data, created_by=by, key=obj.pk)
        obj.__dict__.update(made.__dict__)
        vars(request)["new_secret"] = secret

    @method_decorator(sensitive_post_parameters())
    @method_decorator(never_stored)
    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().add_view(request, *args, **kwargs)

    def response_add(
        self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Responds with the page itself, as a redirect would have to carry the secret."""
        return self.render_page(
            request,
            "admin/reservations/apitoken/created.html",
            title="A new API token",
            token=obj,
            secret=vars(request)["new_secret"],
        )

    def open_verbs(self, request: HttpRequest, row: ApiToken) -> Sequence[str]:
        return [] if row.revoked_at else self.allowed(request)

    def ask(self, request: HttpRequest, verb: str) -> HttpResponse:
        chosen = list(self.chosen(request))
        live = [token for token in chosen if not token.revoked_at]
        if request.method == "POST" and live:
            self._revoke(request, live)
            return SeeOther(self.back(request))
        title = "Revoke API tokens?" if live else "Nothing to revoke"
        return self.render_page(
            request,
            "admin/reservations/apitoken/revoke.html",
            title=title,
            verb=verb,
            rows=live,
            others=[f"{token} is revoked" for token in chosen if token.revoked_at],
        )

    def _revoke(self, request: HttpRequest, live: list[ApiToken]) -> None:
        for token in live:
            if tokens.revoke(token):
                self.log_change(request, token, "Revoked")
        messages.success(request, f"Revoked: {', '.join(map(str, live))}")
