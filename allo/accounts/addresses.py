"""The pages for the addresses of an account; an address can also be saved at the checkout."""

from http import HTTPStatus

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from allo.accounts.models import Account
from allo.accounts.views import with_account
from allo.web.parts import Request, SeeOther
from checkout import addresses as saved
from checkout.forms import AddressForm
from checkout.models import Address
from checkout.orders.showing import grouped, region_name


@require_safe
@with_account
def addresses(request: Request, account: Account) -> HttpResponse:
    found = list(saved.of(request))
    rows = [(each, region_name(each.region), grouped(each.phone)) for each in found]
    context = {"account": account, "addresses": rows, "full": len(found) >= saved.MOST}
    return render(request, "account/addresses.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@with_account
def new(request: Request, account: Account) -> HttpResponse:
    form = AddressForm(request.POST or None)
    if form.is_bound and form.is_valid():
        try:
            saved.save(account.pk, form.cleaned_data)
        except saved.TooMany:
            form.add_error(None, ValidationError(_full()))
        else:
            return _to_list()
    return _form(request, form)


@require_http_methods(["GET", "HEAD", "POST"])
@with_account
def edit(request: Request, account: Account, pk: int) -> HttpResponse:
    address = get_object_or_404(Address, account=account.pk, pk=pk)
    form = AddressForm(request.POST or None, initial=saved.values_of(address))
    if form.is_bound and form.is_valid():
        saved.change(address, form.cleaned_data)
        return _to_list()
    return _form(request, form, address)


@require_POST
@with_account
def remove(_request: Request, account: Account, pk: int) -> HttpResponse:
    """A second time is no error: it is gone already."""
    Address.objects.filter(account=account.pk, pk=pk).delete()
    return _to_list()


def _form(request: Request, form: AddressForm, address: Address | None = None) -> HttpResponse:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    context = {"form": form, "address": address}
    return render(request, "account/address.html", context, status=status)


def _to_list() -> HttpResponse:
    return SeeOther(reverse("accounts:addresses"))


def _full() -> str:
    return f"An account has {saved.MOST} addresses at the most. Remove one first."
