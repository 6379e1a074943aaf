"""The admin's forms with pictures, which static/js/upload.js sends."""

from typing import Any, TypeVar

from django.db.models import Model
from django.forms import Script
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseRedirectBase
from django_htmx.http import HttpResponseClientRedirect

from allo.admin_kit.base import ModelAdmin
from allo.postgresql import timeouts

Row = TypeVar("Row", bound=Model)


class Uploading(ModelAdmin[Row]):
    class Media:
        js = (Script("js/upload.js", type="module"),)

    def _changeform_view(self, request: HttpRequest, *args: Any) -> HttpResponse:
        # Django reads the form in a transaction, which is idle while its pictures are re-encoded.
        # That takes seconds for each: nothing must be locked before it is done.
        if request.method == "POST":
            timeouts.lift("idle_in_transaction_session_timeout")
        response: HttpResponse = super()._changeform_view(request, *args)  # type: ignore[misc]
        if request.htmx and isinstance(response, HttpResponseRedirectBase):  # type: ignore[attr-defined]
            # The script opens the next page itself. If its request followed a redirect, that would
            # use up the message for the page.
            return HttpResponseClientRedirect(response.url)
        return response
