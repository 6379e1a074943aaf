"""Sign in: ask for a code, then type it or follow its link. The answer is the same for known and
unknown addresses."""

from http import HTTPStatus

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from allo.accounts import flow
from allo.accounts.forms import AskForm, CodeForm
from allo.codes import browser, limits
from allo.codes import services as codes
from allo.codes.models import EmailCode
from allo.web.address import client_network
from allo.web.own_pages import own_page
from allo.web.parts import Request, SeeOther, never_stored, too_many

SIGN_IN = codes.Purpose.SIGN_IN
UNPROCESSABLE = HTTPStatus.UNPROCESSABLE_ENTITY


@require_http_methods(["GET", "HEAD", "POST"])
@never_stored
def sign_in(request: Request) -> HttpResponse:
    there = own_page((request.POST or request.GET).get("next", ""))
    if request.user.is_authenticated:
        return SeeOther(there or reverse("accounts:overview"))
    if request.method != "POST":
        return _asking(request, AskForm(), there)
    if wait := limits.to_ask(request):
        return too_many(request, wait)
    form = AskForm(request.POST)
    if not form.is_valid():
        return _asking(request, form, there, status=UNPROCESSABLE)
    return _ask(request, form, there)


def _ask(request: Request, form: AskForm, there: str) -> HttpResponse:
    secret, digest = browser.of_next_code(request)
    try:
        codes.ask(
            purpose=SIGN_IN,
            email=form.cleaned_data["email"],
            browser=digest,
            network=client_network(request),
            kind="sign_in_code",
            about=there,
        )
    except codes.TooManyCodes as refusal:
        form.add_error(None, str(refusal))
        response = _asking(request, form, there, status=HTTPStatus.TOO_MANY_REQUESTS)
        response.headers["Retry-After"] = str(refusal.seconds)
        return response
    response = SeeOther(reverse("accounts:code"))
    browser.remember(response, secret)
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@never_stored
@sensitive_post_parameters("code")
def code(request: Request) -> HttpResponse:
    asked = codes.last(purpose=SIGN_IN, browser=browser.browser_of(request))
    if asked is None:
        return _ended()
    if request.method != "POST":
        return _typing(request, CodeForm(), asked)
    form = CodeForm(request.POST)
    if not form.is_valid():
        return _typing(request, form, asked, status=UNPROCESSABLE)
    try:
        proved = codes.prove(
            purpose=SIGN_IN, browser=asked.browser, digits=form.cleaned_data["code"]
        )
    except codes.NoCode:
        return _ended()
    except codes.WrongCode as wrong:
        return _wrong(request, form, asked, wrong)
    return _signed_in(request, proved)


def _wrong(
    request: Request, form: CodeForm, asked: EmailCode, wrong: codes.WrongCode
) -> HttpResponse:
    if not wrong.left:
        return _ended()
    form.add_error("code", str(wrong))
    return _typing(request, form, asked, status=UNPROCESSABLE)


@require_GET
@never_stored
def link(request: Request) -> HttpResponse:
    """The link of the mail. It redirects at once, so that the address with the key is neither in
    the history nor sent to the next page as referrer."""
    mine = browser.browser_of(request)
    try:
        proved = codes.follow(purpose=SIGN_IN, browser=mine, key=request.GET.get("key", ""))
    except codes.NoCode:
        if request.user.is_authenticated:
            return SeeOther(reverse("accounts:overview"))
        return _ended()
    return _signed_in(request, proved)


def _signed_in(request: Request, proved: EmailCode) -> HttpResponse:
    response = SeeOther(proved.about or reverse("accounts:overview"))
    try:
        flow.sign_in(request, response, proved.email)
    except flow.Closed:
        return SeeOther(f"{reverse('accounts:sign_in')}?why=closed")
    browser.forget(response)
    return response


def _ended() -> HttpResponse:
    return SeeOther(f"{reverse('accounts:sign_in')}?why=ended")


def _asking(request: Request, form: AskForm, there: str, status: int = 200) -> HttpResponse:
    context = {"form": form, "next": there, "why": request.GET.get("why", "")}
    return render(request, "account/sign_in.html", context, status=status)


def _typing(request: Request, form: CodeForm, asked: EmailCode, status: int = 200) -> HttpResponse:
    form.fields["code"].widget.attrs["autofocus"] = not form.errors
    context = {"form": form, "asked": asked, "next": asked.about}
    return render(request, "account/code.html", context, status=status)
