"""The pages of an account."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from allo.accounts import flow
from allo.accounts.models import Account, SignIn
from allo.web.parts import Request, SeeOther, go_to, never_stored
from checkout.orders import listing
from reservations.shop.holders import live_holds, topics_of
from reservations.waiting.services import entries_of

# Orders on the first page.
SHOWN = 3

View = Callable[..., HttpResponseBase]


def with_account(view: View) -> View:
    """Calls the view with the account that is signed in; others are redirected to sign in. Browsers
    do not store its pages."""

    @wraps(view)
    def answer(request: Request, *args: Any, **more: Any) -> HttpResponseBase:
        account = Account.objects.filter(pk=request.user.pk or 0).select_related("user").first()
        if account is None:
            return _sign_in_first(request)
        return view(request, account, *args, **more)

    return never_stored(answer)


def _sign_in_first(request: Request) -> HttpResponse:
    """In place of the whole page, also if it was a part that refreshed itself."""
    if request.user.is_authenticated:
        if request.htmx:
            return HttpResponseClientRefresh()
        return render(request, "account/staff.html")
    there = {"next": request.path} if request.method in ("GET", "HEAD") else {}
    page = reverse("accounts:sign_in")
    return go_to(request, f"{page}?{urlencode(there)}" if there else page)


@require_safe
@with_account
def overview(request: Request, account: Account) -> HttpResponse:
    context = {
        "account": account,
        "changed": "changed" in request.GET,
        "holds": live_holds(request),
        "orders": listing.latest(request, SHOWN),
        "entries": [each for each in entries_of(account.user.email) if each.is_open],
        "topics": topics_of(request),
        "now": timezone.now(),
    }
    return render(request, "account/overview.html", context)


@require_safe
@with_account
def sessions(request: Request, account: Account) -> HttpResponse:
    context = {
        "account": account,
        "sign_ins": account.sign_ins.all(),
        "this": request.session.session_key,
        "ended": "ended" in request.GET,
    }
    return render(request, "account/sessions.html", context)


@require_POST
@with_account
def end_session(request: Request, account: Account, pk: int) -> HttpResponse:
    """Ends another browser's session, or signs this one out."""
    found = SignIn.objects.filter(account=account, pk=pk).select_related("session").first()
    if found is None:
        # It has ended meanwhile, or belongs to somebody else.
        raise Http404("no such session")
    if found.session_id == request.session.session_key:
        return flow.sign_out(request, _signed_out())
    found.session.delete()
    return SeeOther(f"{reverse('accounts:sessions')}?ended=1")


@require_POST
@with_account
def sign_out_everywhere(request: Request, account: Account) -> HttpResponse:
    flow.end_sessions(account)
    return flow.sign_out(request, _signed_out())


@require_POST
@never_stored
def sign_out(request: Request) -> HttpResponse:
    return flow.sign_out(request, _signed_out())


def _signed_out() -> HttpResponse:
    return SeeOther(f"{reverse('accounts:sign_in')}?why=signed-out")
