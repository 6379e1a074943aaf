"""Signs in with an address that was confirmed, and out again."""

import logging
import secrets

from django.contrib.auth import login, logout
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse

from allo.accounts import backend, persons
from allo.accounts.devices import in_words
from allo.accounts.models import Account, SignIn
from allo.codes import browser
from allo.outbox.addresses import key_of
from allo.web.shared.acts import note_holds
from checkout.orders import adopting
from reservations import services
from reservations.exceptions import Busy
from reservations.models import AdoptedHolder, Reservation
from reservations.shop import room, visitor
from reservations.shop.holders import names_here
from reservations.waiting import services as waiting

logger = logging.getLogger(__name__)


class Closed(Exception):
    """The account is not active, or is one of the staff's."""


class Taken(Exception):
    """Another account has the address, or one of the staff."""


def is_staffs(email: str) -> bool:
    """Staff sign in with a password, and nobody can avoid that by reading their mail."""
    spelled = Q(email__iexact=email) | Q(email__iexact=key_of(email))
    return User.objects.filter(spelled, is_staff=True).exists()


def sign_in(request: HttpRequest, response: HttpResponse, email: str) -> None:
    """Signs this browser in to the account of a proved address, which is made if there is none, and
    gives it what the browser held and ordered. Raises `Closed`."""
    if is_staffs(email):
        raise Closed
    account = account_of(email)
    user = account.user
    if not user.is_active or user.is_staff or user.is_superuser:
        raise Closed
    if request.user.is_authenticated:
        # What another account held in this browser is not this one's.
        sign_out(request, response)
        here: tuple[str, ...] = ()
    else:
        # Offers are not moved: others who have the link to one keep it, and the account of its
        # address sees it anyway.
        here = tuple(names_here(request))
    _begin_session(request, user)
    for holder in here:
        _adopt(account, holder)
    _take_bought(account)
    if AdoptedHolder.objects.filter(holder__in=here).exclude(account=account.holder).exists():
        # Another account signed in here before, so it keeps the browser's history.
        visitor.forget(response)


def _adopt(account: Account, holder: str) -> None:
    try:
        services.adopt(account=account.holder, visitor=holder)
        adopting.take(account.pk, holder)
    except (Busy, OperationalError):
        # It stays the browser's, which is the same shopper, until the next sign-in.
        logger.warning("account %d: what its browser held is not adopted", account.pk)


def _take_bought(account: Account) -> None:
    """The orders of what waiting lists offered to its address: the entries are deleted in time."""
    bought = persons.entries_of(account).filter(offer__status=Reservation.Status.CONFIRMED)
    try:
        adopting.take(account.pk, *(entry.holder for entry in bought))
    except OperationalError:
        logger.warning("account %d: what it was offered and bought is not adopted", account.pk)


def account_of(email: str) -> Account:
    """The account of an address that was confirmed."""
    accounts = Account.objects.select_related("user").filter(email_key=key_of(email))
    if account := accounts.first():
        return account
    try:
        return _new_account(email)
    except IntegrityError:
        # Another browser confirmed the same address at this moment.
        return accounts.get()


@transaction.atomic
def _new_account(email: str) -> Account:
    user = User(username=secrets.token_hex(16), email=email)
    user.set_unusable_password()
    user.save(force_insert=True)
    return Account.objects.create(user=user, email_key=key_of(email))


def change_address(account: Account, email: str) -> None:
    """To an address that was confirmed as well. Raises `Taken`."""
    if is_staffs(email):
        raise Taken
    try:
        with transaction.atomic():
            Account.objects.filter(pk=account.pk).update(email_key=key_of(email))
            waiting.move(email_key=account.email_key, email=email)
            User.objects.filter(pk=account.pk).update(email=email)
    except IntegrityError:
        raise Taken from None
    try:
        waiting.unite(email_key=account.email_key, email=email)
    except Busy:
        logger.warning("account %d: its old address keeps a place on a waiting list", account.pk)


def _begin_session(request: HttpRequest, user: User) -> None:
    """Under a new key, whatever the session was before."""
    before = request.session.session_key
    login(request, user, backend=backend.NAME)
    if request.session.session_key in (None, before):
        request.session.cycle_key()
    SignIn.objects.create(
        account_id=user.pk,
        session_id=str(request.session.session_key),
        device=in_words(request.headers.get("User-Agent", "")),
    )


def sign_out(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Leaves nothing in the browser. The page that this leads to forgets what was viewed last, too:
    by plain HTTP a browser ignores `Clear-Site-Data`."""
    logout(request)
    note_holds(request, holds=False)
    leave(request, response)
    return response


def leave(request: HttpRequest, response: HttpResponse) -> None:
    """The browser is nobody's: without cookies, pages that it kept, and what it viewed last."""
    browser.forget(response)
    visitor.forget(response)
    room.forget(response, request)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'


def end_sessions(account: Account) -> None:
    """All of them, listed or not: Django ends sessions that began before a password changed, even
    an unusable password."""
    Session.objects.filter(sign_in__account=account).delete()
    account.user.set_unusable_password()
    account.user.save(update_fields=["password"])
