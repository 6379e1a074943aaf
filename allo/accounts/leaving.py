"""The pages to download the data of an account, and to delete it."""

from http import HTTPStatus

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods, require_safe

from allo.accounts import deleting, exporting, flow, persons
from allo.accounts.forms import DeleteForm
from allo.accounts.models import Account
from allo.accounts.views import with_account
from allo.web.parts import Request, SeeOther, busy
from checkout.models import Order
from reservations.exceptions import Busy


@require_safe
@with_account
def export(_request: Request, account: Account) -> StreamingHttpResponse:
    response = StreamingHttpResponse(exporting.stream(account), content_type="application/json")
    response.headers["Content-Disposition"] = 'attachment; filename="allo-account.json"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@with_account
def delete(request: Request, account: Account) -> HttpResponse:
    """GET says what will happen; POST needs the typed word."""
    form = DeleteForm(request.POST or None)
    if not form.is_bound or not form.is_valid():
        return _asking(request, account, form)
    try:
        deleting.delete(account)
    except deleting.StillPaying as refusal:
        form.add_error(None, _still_paying(refusal.order))
    except deleting.IsStaffs:
        form.add_error(None, ValidationError(IS_STAFFS))
    except Busy as refusal:
        return busy(request, refusal.code)
    else:
        return flow.sign_out(request, SeeOther(f"{reverse('accounts:sign_in')}?why=deleted"))
    return _asking(request, account, form)


IS_STAFFS = "This account did something as staff, which is on the record. The shop can close it."


def _still_paying(order: Order) -> ValidationError:
    return ValidationError(
        format_html(
            'Order <a href="{}">{}</a> waits for its payment. Pay it, or press "Change or cancel'
            ' the payment" on its page. Then you can delete the account.',
            reverse("orders:order", args=[order.number]),
            order.number,
        )
    )


def _asking(request: Request, account: Account, form: DeleteForm) -> HttpResponse:
    orders = persons.orders_of(account)
    context = {
        "account": account,
        "form": form,
        "years": settings.ORDER_RETENTION_YEARS,
        "held": persons.reservations_of(account).live().count(),
        "bought": orders.filter(placed_at__isnull=False).exists(),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "account/delete.html", context, status=status)
