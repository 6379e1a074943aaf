"""Views whose answers are shared."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from allo.web.parts import busy
from allo.web.shared import holes
from allo.web.shared.front import CACHING, front
from allo.web.shared.keys import (
    ACTED,
    NOWHERE,
    SHARED,
    Shareable,
    Sharing,
    nowhere,
    shareable_of_anyone,
)
from allo.web.shared.store import Crowded

View = Callable[..., HttpResponse]


def shared(
    sharing: Sharing, *, unless: Callable[..., bool] = lambda _: False
) -> Callable[[View], View]:
    """Visitors with a session get the finished parts of the shared answer around their own.

    The view is called for the shared rendering, and for each answer that is not shared, such as
    that of a request for which `unless` is true.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not settings.SHARED_PAGES or SHARED in request.META or unless(request):
                return view(request, *args, **kwargs)
            return _own(request) or view(request, *args, **kwargs)

        answer.sharing = sharing  # type: ignore[attr-defined]
        return answer

    return decorate


def not_found(request: HttpRequest) -> HttpResponse | None:
    """The page of all addresses that do not exist; None if it has to be rendered."""
    if not settings.SHARED_PAGES or request.META["PATH_INFO"] == NOWHERE:
        return None
    return _filled(request, nowhere(request.META))


def _own(request: HttpRequest) -> HttpResponse | None:
    """The shared answer with its holes filled for this visitor; None if it is not shared."""
    if (wanted := shareable_of_anyone(request.META)) is None:
        return None
    return _filled(request, wanted)


def _filled(request: HttpRequest, wanted: Shareable) -> HttpResponse | None:
    try:
        answer = front().answer(wanted, fresh=ACTED in request.COOKIES)
    except Crowded:
        return busy(request, "busy")
    if not answer.is_kept:
        return None
    response = HttpResponse(
        holes.filled(answer.parts, request),
        content_type=answer.content_type,
        status=int(answer.status[:3]),
    )
    # The view's headers for htmx; middleware sets all others for each response.
    for_htmx = [(name, value) for name, value in answer.headers if name.startswith("HX-")]
    for name, value in (*for_htmx, *CACHING[:2]):
        response.headers[name] = value
    return response
