"""The pages for the addresses of an account; an address can also be saved at the checkout."""

from http import HTTPStatus

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

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
    full = len(found) >= saved.MOST
    context = {"account": account, "addresses": [_shown(each) for each in found], "full": full}
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


@require_http_methods(["GET", "HEAD", "POST"])
@with_account
def remove(request: Request, account: Account, pk: int) -> HttpResponse:
    """GET asks first. A second time is no error: it is gone already."""
    found = Address.objects.filter(account=account.pk, pk=pk)
    if request.method == "POST" or not found:
        found.delete()
        return _to_list()
    address, region, phone = _shown(found[0])
    context = {"address": address, "region": region, "phone": phone}
    return render(request, "account/remove_address.html", context)


def _shown(address: Address) -> tuple[Address, str, str]:
    """With the words for its state and its telephone number."""
    return address, region_name(address.region), grouped(address.phone)


def _form(request: Request, form: AddressForm, address: Address | None = None) -> HttpResponse:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    context = {"form": form, "address": address}
    return render(request, "account/address.html", context, status=status)


def _to_list() -> HttpResponse:
    return SeeOther(reverse("accounts:addresses"))


def _full() -> str:
    return f"An account has {saved.MOST} addresses at the most. Remove one first."
