"""An order that is paid on delivery needs a confirmed e-mail address: otherwise anybody could have
parcels sent that nobody pays for. The buyer confirms it by a code, in a field of the form that
orders; what was typed in the other fields stays there."""

from dataclasses import dataclass
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from allo.codes import browser, limits
from allo.codes import services as codes
from allo.outbox.addresses import key_of
from allo.web.address import client_network
from checkout.forms import BuyerForm
from reservations.shop.holders import address_key_of

ORDER = codes.Purpose.ORDER


@dataclass(frozen=True, slots=True)
class Asked:
    """A code that was sent, or could not be: then the form says why. `cookie` identifies the
    browser."""

    email: str
    cookie: str
    status: int = HTTPStatus.OK
    is_sent: bool = True

    def remembered(self, response: HttpResponse) -> HttpResponse:
        browser.remember(response, self.cookie)
        return response


def ask_first(request: HttpRequest, form: BuyerForm) -> Asked | None:
    """The code that has to be typed before the order of this valid form is opened; None if the
    address is confirmed or need not be."""
    email = form.cleaned_data["email"]
    if not is_needed() or _is_accounts(request, email):
        return None
    cookie, digest = browser.of_next_code(request)
    if codes.was_proved(purpose=ORDER, browser=digest, email=email):
        return None
    waits = codes.last(purpose=ORDER, browser=digest)
    if waits and waits.email_key == key_of(email) and "another_code" not in request.POST:
        return _compare(form, Asked(email, cookie, HTTPStatus.UNPROCESSABLE_ENTITY), digest)
    return _send(request, form, Asked(email, cookie), digest)


def is_missing(request: HttpRequest, email: str) -> bool:
    """For a program's order, which has no form to type a code into: whether the buyer's address is
    neither the account's nor confirmed in this browser."""
    if not is_needed():
        return False
    mine = browser.browser_of(request)
    proved = email and codes.was_proved(purpose=ORDER, browser=mine, email=email)
    return not proved and not _is_accounts(request, email)


def is_needed() -> bool:
    return settings.PAYMENT_PROVIDER == "none" and bool(settings.ON_DELIVERY_NEEDS_CODE)


def waiting(request: HttpRequest) -> Asked | None:
    """The code that this browser can type now, for a page that is loaded anew."""
    mine = browser.browser_of(request)
    if not mine or not is_needed():
        return None
    code = codes.last(purpose=ORDER, browser=mine)
    return Asked(code.email, "") if code else None


def _is_accounts(request: HttpRequest, email: str) -> bool:
    """Whether it is the address by which the shopper signed in."""
    return address_key_of(request) == key_of(email)


def _compare(form: BuyerForm, asked: Asked, digest: str) -> Asked | None:
    try:
        if digits := form.cleaned_data["code"]:
            codes.prove(purpose=ORDER, browser=digest, digits=digits)
            return None
        form.add_error("code", "Type the code that we sent.")
    except codes.WrongCode as wrong:
        form.add_error("code", str(wrong))
    except codes.NoCode:
        form.add_error("code", "This code works no more. Send another one.")
    return asked


def _send(request: HttpRequest, form: BuyerForm, asked: Asked, digest: str) -> Asked:
    try:
        network = client_network(request)
        if wait := limits.to_ask(request):
            raise codes.TooManyCodes(wait)
        asks = {"browser": digest, "network": network, "kind": "order_code"}
        codes.ask(purpose=ORDER, email=asked.email, **asks)
    except codes.TooManyCodes as refusal:
        form.add_error("email", str(refusal))
        return Asked(asked.email, asked.cookie, HTTPStatus.TOO_MANY_REQUESTS, is_sent=False)
    # What was typed was for an older code.
    form.data = {name: form.data[name] for name in form.data if name != "code"}
    form.fields["code"].widget.attrs["autofocus"] = True
    return asked
