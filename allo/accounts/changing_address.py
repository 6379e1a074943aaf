"""Changes an account's e-mail address: a code goes to the old address and one to the new one, and
both are typed in the browser that asked."""

from dataclasses import dataclass
from http import HTTPStatus

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from allo.accounts import flow
from allo.accounts.forms import BothCodesForm, NewAddressForm
from allo.accounts.models import Account
from allo.accounts.views import with_account
from allo.codes import browser, limits
from allo.codes import services as codes
from allo.codes.models import EmailCode
from allo.outbox.addresses import key_of
from allo.web.address import client_network
from allo.web.parts import Request, SeeOther, too_many

OLD, NEW = codes.Purpose.OLD_ADDRESS, codes.Purpose.NEW_ADDRESS
UNPROCESSABLE = HTTPStatus.UNPROCESSABLE_ENTITY


@dataclass(frozen=True, slots=True)
class Change:
    """The codes of one change."""

    old: EmailCode
    new: EmailCode

    @property
    def proved(self) -> list[str]:
        return [name for name in ("old", "new") if getattr(self, name).used_at]

    @property
    def is_under_way(self) -> bool:
        return all(code.used_at or codes.is_live(code) for code in (self.old, self.new))


@require_http_methods(["GET", "HEAD", "POST"])
@with_account
def change(request: Request, account: Account) -> HttpResponse:
    if request.method != "POST":
        return _asking(request, account, NewAddressForm(account))
    if wait := limits.to_ask(request):
        return too_many(request, wait)
    form = NewAddressForm(account, request.POST)
    if not form.is_valid():
        return _asking(request, account, form, status=UNPROCESSABLE)
    secret, digest = browser.of_next_code(request)
    try:
        asked_by = {"browser": digest, "network": client_network(request)}
        _ask(account, form.cleaned_data["email"], asked_by)
    except codes.TooManyCodes as refusal:
        form.add_error(None, str(refusal))
        response = _asking(request, account, form, status=HTTPStatus.TOO_MANY_REQUESTS)
        response.headers["Retry-After"] = str(refusal.seconds)
        return response
    response = SeeOther(reverse("accounts:confirm_email"))
    browser.remember(response, secret)
    return response


@transaction.atomic
def _ask(account: Account, email: str, asked_by: dict[str, str]) -> None:
    """Writes both codes, or none."""
    old = account.user.email
    codes.ask(purpose=OLD, email=old, kind="old_address_code", about=key_of(email), **asked_by)
    codes.ask(purpose=NEW, email=email, kind="new_address_code", **asked_by)


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("old", "new")
@with_account
def confirm(request: Request, account: Account) -> HttpResponse:
    found = _change(request, account)
    if found is None or len(found.proved) == 2:
        return _back("ended")
    if request.method != "POST":
        return _typing(request, found, BothCodesForm(found.proved))
    form = BothCodesForm(found.proved, request.POST)
    try:
        typed = form.is_valid() and _prove(form, found)
    except codes.NoCode:
        return _back("ended")
    now = _change(request, account)
    if now is None:
        return _back("ended")
    if len(now.proved) == 2:
        return _changed(account, now)
    status = 200 if typed else UNPROCESSABLE
    # An address that is confirmed already is not asked about again.
    return _typing(request, now, BothCodesForm(now.proved) if typed else form, status=status)


def _change(request: Request, account: Account) -> Change | None:
    """The last change that this browser asked for, if it is for this account and can still be
    confirmed. Both codes were asked for together."""
    mine = browser.browser_of(request)
    old, new = (codes.newest(purpose=purpose, browser=mine) for purpose in (OLD, NEW))
    if old is None or new is None or old.email_key != account.email_key:
        return None
    found = Change(old, new)
    return found if found.is_under_way else None


def _prove(form: BothCodesForm, found: Change) -> bool:
    """Uses what was typed; whether all of it was right. Raises `NoCode`."""
    for name in [*form.fields]:
        code: EmailCode = getattr(found, name)
        if not (digits := form.cleaned_data[name]):
            continue
        try:
            codes.prove(purpose=codes.Purpose(code.purpose), browser=code.browser, digits=digits)
        except codes.WrongCode as wrong:
            form.add_error(name, str(wrong))
    return form.is_valid()


def _changed(account: Account, done: Change) -> HttpResponse:
    try:
        flow.change_address(account, done.new.email)
    except flow.Taken:
        return _back("taken")
    response = SeeOther(f"{reverse('accounts:overview')}?changed=1")
    browser.forget(response)
    return response


def _back(why: str) -> HttpResponse:
    return SeeOther(f"{reverse('accounts:email')}?why={why}")


def _asking(
    request: Request, account: Account, form: NewAddressForm, status: int = 200
) -> HttpResponse:
    context = {"account": account, "form": form, "why": request.GET.get("why", "")}
    return render(request, "account/email.html", context, status=status)


def _typing(
    request: Request, found: Change, form: BothCodesForm, status: int = 200
) -> HttpResponse:
    context = {"form": form, "change": found, "proved": found.proved}
    return render(request, "account/email_codes.html", context, status=status)
