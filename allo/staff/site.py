"""Django's admin site with the shop's front page, sections and access rules."""

from collections.abc import Callable
from functools import partial, update_wrapper
from http import HTTPStatus
from io import BytesIO
from typing import Any, TypeVar, cast
from urllib.parse import unquote, urljoin, urlsplit

from django.contrib.admin import AdminSite
from django.contrib.auth.views import PasswordChangeView
from django.contrib.messages.storage import default_storage
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase, HttpResponseRedirectBase
from django.template.response import TemplateResponse
from django.urls import Resolver404, URLPattern, URLResolver, path, resolve, reverse
from django.views.decorators.cache import never_cache
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh
from django_htmx.middleware import HtmxDetails

from allo.staff.dashboard import dashboard
from allo.staff.login import ChangePasswordForm
from allo.staff.menu import sections
from reservations.shop import holders

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


class StaffSite(AdminSite):
    site_header = site_title = "Allo staff"
    index_title = "Today"
    index_template = "admin/index.html"
    # `templates/admin/base.html` has its own navigation, which needs no script.
    enable_nav_sidebar = False
    empty_value_display = "–"

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        return context | {"sections": sections(context["available_apps"], request)}

    def get_urls(self) -> list[URLResolver | URLPattern]:
        return [path("is-staff/", never_cache(self.is_staff), name="is_staff"), *super().get_urls()]

    def is_staff(self, request: HttpRequest) -> HttpResponse:
        """For nginx, which asks before it takes in a long form."""
        allowed = self.has_permission(request)
        return HttpResponse(status=HTTPStatus.NO_CONTENT if allowed else HTTPStatus.FORBIDDEN)

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """A part that refreshes itself would show the page that a redirect leads to. Instead the
        browser goes there; once the session has ended, it loads its page anew, and so the login."""
        inner = super().admin_view(view, cacheable)

        def led(request: HttpRequest, *args: Any, **more: Any) -> HttpResponseBase:
            if request.method != "GET" or not request.headers.get("HX-Request"):
                return inner(request, *args, **more)
            if not self.has_permission(request):
                return HttpResponseClientRefresh()
            response = inner(request, *args, **more)
            if isinstance(response, HttpResponseRedirectBase):
                return HttpResponseClientRedirect(response.url)
            return response

        return cast("View", update_wrapper(led if cacheable else never_cache(led), inner))

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        shown = dashboard(request.user, request.GET.get("days", ""))
        return super().index(request, {**shown, **(extra_context or {})})

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Redirects to `next` only if it is a page that the user may see."""
        with holders.earlier_kept(request):
            response = super().login(request, extra_context)
        if isinstance(response, HttpResponseRedirect) and not _may_be_shown(request, response.url):
            return HttpResponseRedirect(reverse("admin:index"))
        return response

    def logout(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        with holders.earlier_kept(request):
            return super().logout(request, extra_context)

    def password_change(  # type: ignore[override]  # which says it never redirects
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        request.current_app = self.name
        view = PasswordChangeView.as_view(
            form_class=partial(ChangePasswordForm, request),
            success_url=reverse("admin:password_change_done"),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return view(request)


# Addresses of the admin that are not pages.
NO_PAGES = {"login", "logout", "autocomplete", "jsi18n", "is_staff"}


def _may_be_shown(request: HttpRequest, address: str, redirects: int = 3) -> bool:
    """Whether this user gets the page: it may be gone, or not be theirs. The page itself knows, so
    it is called, as a GET that nobody sees."""
    parts = urlsplit(address)
    asked = _get(request, unquote(parts.path), parts.query)
    try:
        match = asked.resolver_match = resolve(asked.path_info)
    except Resolver404:
        return False
    if match.url_name in NO_PAGES:
        return False

    def view(asked: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = match.func(asked, *match.args, **match.kwargs)
        return response

    response = convert_exception_to_response(view)(asked)
    assert isinstance(response, HttpResponseBase)
    if isinstance(response, HttpResponseRedirectBase):
        onward = urljoin(asked.path, response.url)
        return redirects > 0 and _may_be_shown(request, onward, redirects - 1)
    return response.status_code < HTTPStatus.BAD_REQUEST


def _get(request: HttpRequest, path: str, query: str) -> HttpRequest:
    """The request by which the browser of this one would get that address."""
    body = {"CONTENT_LENGTH": "0", "CONTENT_TYPE": "", "wsgi.input": BytesIO()}
    asked = WSGIRequest(
        {**request.META, **body, "REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query}
    )
    asked.session, asked.user = request.session, request.user
    asked.htmx = HtmxDetails(asked)  # type: ignore[attr-defined]
    asked._messages = default_storage(asked)  # type: ignore[attr-defined]
    return asked
