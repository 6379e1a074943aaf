"""Accounts of shoppers, with links to what they hold and bought. No code is shown anywhere."""

from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Q
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from allo.accounts.models import Account, DeletedAccount
from allo.admin_kit.base import ReadOnlyAdmin
from allo.admin_kit.search import Searched
from reservations.models import AdoptedHolder

MOST_BROWSERS = 20


@admin.register(Account)
class AccountAdmin(Searched[Account], ReadOnlyAdmin[Account]):
    list_display = ("email", "created_at", "reservations", "orders")
    list_select_related = ("user",)
    sortable_by = ()
    search_fields = ("email_key",)
    search_help_text = "How an e-mail address begins"
    fields = ("email", "created_at", "is_active", "reservations", "browsers", "orders", "mail")

    def found(self, words: str) -> Q:
        return Q(email_key__startswith=words.lower())

    @admin.display(description="E-mail")
    def email(self, account: Account) -> str:
        return account.user.email

    @admin.display(boolean=True, description="Can sign in")
    def is_active(self, account: Account) -> bool:
        return account.user.is_active

    @admin.display
    def reservations(self, account: Account) -> SafeString:
        return _link("reservations_reservation", account.holder, "Reservations")

    @admin.display(description="Held before signing in")
    def browsers(self, account: Account) -> SafeString | str:
        """What ended in a browser before the account signed in there is still listed under the
        browser's name."""
        adopted = AdoptedHolder.objects.filter(account=account.holder).order_by("-created_at")
        names = adopted.values_list("holder", flat=True)[:MOST_BROWSERS]
        links = [_link("reservations_reservation", name, _short(name)) for name in names]
        return format_html_join(", ", "{}", ((link,) for link in links)) or "Nothing"

    @admin.display
    def orders(self, account: Account) -> SafeString:
        return _link("checkout_order", account.holder, "Orders")

    @admin.display
    def mail(self, account: Account) -> SafeString:
        """That something was sent and when, and never its text."""
        return _link("outbox_message", account.user.email, "Messages")


@admin.register(DeletedAccount)
class DeletedAccountAdmin(ReadOnlyAdmin[DeletedAccount]):
    """That there was an account. Its orders stay, and their pages say when it was deleted."""

    list_display = ("number", "made_at", "deleted_at")
    sortable_by = ()
    fields = ("number", "made_at", "deleted_at")


def _short(holder: str) -> str:
    kind, _, name = holder.partition(":")
    return f"{kind} {name[:8]}"


def _link(model: str, words: str, label: str) -> SafeString:
    page = reverse(f"admin:{model}_changelist")
    return format_html('<a href="{}?{}">{}</a>', page, urlencode({"q": words}), label)
