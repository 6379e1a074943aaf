"""The waiting lists, and the page that closes one with a reason."""

from collections import Counter
from typing import Any, NamedTuple

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse

from allo.admin_kit.base import ReadOnlyAdmin
from allo.admin_kit.pages import with_back
from allo.web.parts import SeeOther
from catalog.models import Product
from reservations.exceptions import ReservationError
from reservations.list_exceptions import ListClosed
from reservations.models import (
    OF_LIST,
    ListClosure,
    Reservation,
    WaitingEntry,
    WaitingEntryQuerySet,
)
from reservations.staff.forms import ReasonForm
from reservations.waiting import rules, services

# At most so many: the longest.
MOST_SHOWN = 50


class Key(NamedTuple):
    """Of a product."""

    pk: int
    name: str
    slug: str


class CloseForm(ReasonForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[
            "reason"
        ].help_text = (
            "Those who wait read it, in a mail and on their page. Kept for good with your name."
        )


class Listed(NamedTuple):
    """A product with people who wait for it, or with a closed list. `act` is the address of the
    page that closes or reopens it; "" for those who may not."""

    product: str
    waiting: int
    offered: int
    closure: ListClosure | None
    entries: str
    act: str


@admin.register(ListClosure)
class ListClosureAdmin(ReadOnlyAdmin[ListClosure]):
    """Lists that were closed, and above them the lists of now. Visible to all who may see who
    waits."""

    change_list_template = "admin/reservations/listclosure/change_list.html"
    list_display = ("created_at", "product", "actor", "reason", "reopened_at", "reopened_by")
    list_select_related = ("product", "actor", "reopened_by")
    sortable_by = ()
    fields = list_display

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("reservations.view_waitingentry")

    def get_urls(self) -> list[URLPattern]:
        pages = {"close": self.close, "reopen": self.reopen}
        named = "reservations_listclosure_{}".format
        wrapped = self.admin_site.admin_view
        own = [path(f"{page}/", wrapped(view), name=named(page)) for page, view in pages.items()]
        return [*own, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        lists, further = self._lists(request)
        more = {"title": "Waiting lists", "lists": lists, "further": further}
        return super().changelist_view(request, {**more, **(extra_context or {})})

    def close(self, request: HttpRequest) -> HttpResponse:
        """GET asks for the reason; POST closes the list, and writes to those who waited."""
        product = self._product(request)
        form = CloseForm(request.POST if request.method == "POST" else None)
        if not form.is_valid():
            return self._question(request, "close", product, form)
        reason = form.cleaned_data["reason"]
        try:
            closure = services.close(product_id=product.pk, reason=reason, by=_person(request))
        except ListClosed:
            messages.warning(request, f"The list of {product} was closed already.")
        except ReservationError as refusal:
            messages.error(request, f"Not closed. {refusal}")
        else:
            messages.success(request, f"Closed the list of {product}.")
            self.log_change(request, closure, f"Closed the list of {product}: {reason}")
        return SeeOther(self.back(request))

    def reopen(self, request: HttpRequest) -> HttpResponse:
        product = self._product(request)
        if request.method != "POST":
            return self._question(request, "reopen", product)
        closure = rules.closure_of(product.pk)
        if closure and services.reopen(product_id=product.pk, by=_person(request)):
            self.log_change(request, closure, f"Reopened the list of {product}")
            messages.success(request, f"Reopened the list of {product}.")
        else:
            messages.warning(request, f"The list of {product} was open already.")
        return SeeOther(self.back(request))

    def _question(
        self, request: HttpRequest, verb: str, product: Product, form: CloseForm | None = None
    ) -> HttpResponse:
        return self.render_page(
            request,
            "admin/reservations/listclosure/question.html",
            status=422 if form is not None and form.is_bound else 200,
            title=f"{verb.title()} the waiting list of {product}?",
            verb=verb,
            form=form or (),
            rows=[product],
            waiting=services.length_of(product.pk),
        )

    def _product(self, request: HttpRequest) -> Product:
        """The product that the question's form names, or else the one in the address."""
        if not _may_close(request):
            raise PermissionDenied
        named = request.POST.get("id") or request.GET.get("id", "")
        if not named.isdecimal() or len(named) > 18:
            raise BadRequest("not an id")
        return get_object_or_404(Product, pk=int(named))

    def _lists(self, request: HttpRequest) -> tuple[list[Listed], int]:
        """Closed ones first, then the longest; and the number of further ones."""
        closures = ListClosure.objects.filter(reopened_at=None).select_related("product")
        closed = {
            Key(each.product_id, each.product.name, each.product.slug): each for each in closures
        }
        waiting = counted(WaitingEntry.objects.open())
        # By the few reservations that are pending, as entries grow with each day.
        pending = Reservation.objects.pending().filter(holder__startswith=OF_LIST).order_by()
        offered = counted(WaitingEntry.objects.filter(offer__in=pending))
        longest = sorted(
            waiting | offered, key=lambda key: (-waiting[key], -offered[key], key.name)
        )
        keys = list(dict.fromkeys([*closed, *longest]))
        shown = [
            self._listed(request, key, waiting[key], offered[key], closed.get(key))
            for key in keys[:MOST_SHOWN]
        ]
        return shown, len(keys) - len(shown)

    def _listed(
        self,
        request: HttpRequest,
        key: Key,
        waiting: int,
        offered: int,
        closure: ListClosure | None,
    ) -> Listed:
        page = self.address("reopen" if closure else "close")
        entries = reverse("admin:reservations_waitingentry_changelist")
        return Listed(
            product=key.name,
            waiting=waiting,
            offered=offered,
            closure=closure,
            entries=f"{entries}?product={key.slug}",
            act=with_back(request, page, id=key.pk) if _may_close(request) else "",
        )


def counted(entries: WaitingEntryQuerySet) -> Counter[Key]:
    """How many of each product."""
    named = entries.order_by().values_list("product", "product__name", "product__slug")
    of_each = named.annotate(number=Count("pk"))
    return Counter({Key(*product): number for *product, number in of_each})


def _may_close(request: HttpRequest) -> bool:
    return request.user.has_perm("reservations.close_list")


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User), "the site is for those who are signed in"
    return request.user
