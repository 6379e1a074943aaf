"""Finds an order by its number and e-mail address, and sends its link to that address.

The answer is always the same and takes as long, so nobody learns whether there is such an order.
"""

from uuid import uuid4

from django import forms
from django.conf import settings
from django.db import connection, transaction
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from allo.outbox import services as outbox
from allo.outbox.fields import MailField
from allo.web.address import client_network
from allo.web.parts import Request, SeeOther, never_stored, too_many
from allo.web.rate import seconds_to_wait
from checkout import mail
from checkout.models import Order
from checkout.orders.numbers import as_written


class FindForm(forms.Form):
    number = forms.CharField(
        label="Order number",
        max_length=40,
        widget=forms.TextInput({"autocomplete": "off", "autocapitalize": "characters"}),
    )
    email = MailField()

    def clean_number(self) -> str:
        """The error is the same for everything that cannot be a number, so it reveals nothing about
        orders."""
        if number := as_written(self.cleaned_data["number"]):
            return number
        raise forms.ValidationError("An order number is like AL-7K3M-9QTX: 8 letters and digits.")


@require_http_methods(["GET", "HEAD", "POST"])
@never_stored
def find(request: Request) -> HttpResponse:
    if request.method != "POST":
        return _page(request, FindForm(initial={"number": request.GET.get("number", "")[:40]}))
    if wait := seconds_to_wait(settings.FIND_ORDER_RATE, "find-order", client_network(request)):
        return too_many(request, wait)
    form = FindForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    _send_link(form.cleaned_data["number"], form.cleaned_data["email"])
    return SeeOther(f"{reverse('orders:find')}?sent=1")


def _send_link(number: str, email: str) -> None:
    """The same steps whether or not there is such an order, so that their time reveals nothing
    either."""
    found = Order.objects.filter(number=number).first()
    meant = found if found and found.email.casefold() == email.casefold() else None
    with transaction.atomic(), connection.cursor() as cursor:
        # Both cases commit: a commit waits for the disk, and a rollback does not.
        cursor.execute("SET LOCAL synchronous_commit = off")
        mail.order_link(meant or Order(email=email))
        transaction.set_rollback(meant is None)
    if meant is None:
        outbox.wake()


def _page(request: Request, form: FindForm, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "sent": "sent" in request.GET,
        "returned": "returned" in request.GET,
        "idempotency_key": uuid4(),
    }
    return render(request, "checkout/find.html", context, status=status)
