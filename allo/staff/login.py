"""Limits on attempts to sign in. django-axes records failures; this decides on the client's
network, the limits, and the response when one is reached.

Password hashing is slow on purpose, so a locked-out attempt is refused before any hash is computed.
A name that does not exist takes as long and is locked out in the same way.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from math import inf
from threading import BoundedSemaphore
from typing import Any, NoReturn

from axes.backends import AxesStandaloneBackend
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.forms import AdminPasswordChangeForm, PasswordChangeForm
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from allo.web.address import around_ipv6, client_network
from allo.web.names import one_line
from allo.web.rate import seconds_to_wait

# A hash takes a core for a third of a second. This limit keeps most threads and cores of a process
# for shoppers, from however many networks passwords are guessed.
HASHES_AT_ONCE = 2
_hashing = BoundedSemaphore(HASHES_AT_ONCE)


@dataclass(frozen=True, slots=True)
class LockedOut:
    """Why the password was not checked, and when to try again."""

    reason: str
    seconds: int
    status: int = 429

    @property
    def minutes(self) -> int:
        return -(-self.seconds // 60)


class PasswordBackend(AxesStandaloneBackend, ModelBackend):  # type: ignore[misc]  # axes has no types
    """The only place that checks passwords."""

    @sensitive_variables("password")
    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Raises `PermissionDenied` if no attempt is allowed now."""
        assert request is not None
        if wait := seconds_to_wait(settings.LOGIN_RATE, "login", client_network(request)):
            _refuse(request, LockedOut("attempts", wait))
        super().authenticate(request, username, password, **kwargs)
        if not _hashing.acquire(blocking=False):
            _refuse(request, LockedOut("busy", 2, status=503))
        try:
            return ModelBackend.authenticate(self, request, username, password, **kwargs)
        finally:
            _hashing.release()


def _refuse(request: HttpRequest, refusal: LockedOut) -> NoReturn:
    # axes does not count a request with this mark; its middleware responds with `locked_out`.
    vars(request).update(axes_locked_out=True, sign_in_refusal=refusal)
    raise PermissionDenied


class AttemptHandler(AxesDatabaseHandler):  # type: ignore[misc]
    """Limits over `AXES_COOLOFF_TIME`: for a name at a network, and for networks."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """The failures of the name at its network; if that or one around it is locked out, at least
        the limit."""
        of_name: int = super().get_failures(request, credentials)
        around = _networks(client_address(request))
        if any(_failures(attempts) >= limit for attempts, limit in around):
            return max(of_name, settings.AXES_FAILURE_LIMIT)
        return of_name

    def clean_expired_user_attempts(
        self, request: HttpRequest | None = None, credentials: dict[str, Any] | None = None
    ) -> int:
        """Deletes only the expired attempts of this name and network, so that its count starts
        again. The others stay visible to staff until `allo.tasks.prune`."""
        if request is None or not credentials:
            return 0
        mine = AccessAttempt.objects.filter(
            username=name(request, credentials), ip_address=client_address(request)
        )
        deleted, _ = mine.filter(attempt_time__lt=_since()).delete()
        return int(deleted)


def client_address(request: HttpRequest) -> str | None:
    """The client's address as in the rest of the shop; for IPv6 its /64 network."""
    address = client_network(request).partition("/")[0]
    try:
        return str(ip_address(address))
    except ValueError:
        return None


def name(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """The name as typed, which staff read, cut to the length of axes' column."""
    typed = (credentials or {}).get("username") or request.POST.get("username", "")
    return one_line(str(typed))[:255]


def locked_out(
    request: HttpRequest, _response: HttpResponse | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    refusal = vars(request).get("sign_in_refusal") or _wrong_too_often(
        name(request, credentials), client_address(request)
    )
    response = render(request, "admin/locked_out.html", {"refusal": refusal}, status=refusal.status)
    response.headers["Retry-After"] = str(refusal.seconds)
    return response


def _wrong_too_often(username: str, address: str | None) -> LockedOut:
    of_name = _recent(ip_address=address, username=username)
    if network := max(_seconds_left(*around) for around in _networks(address)):
        return LockedOut("network", network)
    return LockedOut("name", _seconds_left(of_name, settings.AXES_FAILURE_LIMIT) or 1)


def _networks(address: str | None) -> Iterator[tuple[QuerySet[AccessAttempt], float]]:
    """The recent attempts of a network and of those around it, and the failures that each may have.
    0 in the settings switches the limit off, as it does all others."""
    limit = settings.LOGIN_MAX_WRONG_PER_NETWORK or inf
    yield _recent(ip_address=address), limit
    for around, times in around_ipv6(f"{address}/64"):
        ends = str(around[0]), str(around[-1])
        yield _recent(ip_address__range=ends), limit * times


def _since() -> Any:
    return timezone.now() - settings.AXES_COOLOFF_TIME


def _recent(**whose: Any) -> QuerySet[AccessAttempt]:
    recent: QuerySet[AccessAttempt] = AccessAttempt.objects.filter(
        attempt_time__gte=_since(), **whose
    )
    return recent


def _failures(attempts: QuerySet[AccessAttempt]) -> int:
    return int(attempts.aggregate(sum=Sum("failures_since_start"))["sum"] or 0)


def _seconds_left(attempts: QuerySet[AccessAttempt], limit: float) -> int:
    """Seconds until fewer than `limit` failures are within the cool-off time; 0 if that is so
    now."""
    left, seconds = _failures(attempts), 0
    oldest_first = attempts.order_by("attempt_time")
    for at, failures in oldest_first.values_list("attempt_time", "failures_since_start"):
        if left < limit:
            break
        left -= failures
        until = at + settings.AXES_COOLOFF_TIME - timezone.now()
        seconds = max(int(until.total_seconds()), 1)
    return seconds


class _PasswordAlone:
    """Writes nothing else of the account: somebody may be changing the rest of it."""

    def set_password_and_save(self, user: Any, *field: str, **how: Any) -> Any:
        super().set_password_and_save(user, *field, **{**how, "commit": False})  # type: ignore[misc]
        user.save(update_fields=["password"])
        return user


class SetPasswordForm(_PasswordAlone, AdminPasswordChangeForm):  # type: ignore[type-arg]
    """How staff set another's password."""


class ChangePasswordForm(_PasswordAlone, PasswordChangeForm):  # type: ignore[misc]
    """The old password counts towards the same limits as signing in."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    @sensitive_variables("old_password")
    def clean_old_password(self) -> str:
        old_password: str = self.cleaned_data["old_password"]
        if not authenticate(self.request, username=self.user.get_username(), password=old_password):
            self.add_error("old_password", self.error_messages["password_incorrect"])
        return old_password
