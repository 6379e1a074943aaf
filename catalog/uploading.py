"""Staff's forms with pictures, which static/js/upload.js sends."""

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
        # A form that is sent is read in a transaction, and to draw its picture anew takes seconds;
        # nothing is locked before that is done.
        if request.method == "POST":
            timeouts.lift()
        response: HttpResponse = super()._changeform_view(request, *args)  # type: ignore[misc]
        if request.htmx and isinstance(response, HttpResponseRedirectBase):  # type: ignore[attr-defined]
            # The script goes there itself: its request would use up the message for the next page.
            return HttpResponseClientRedirect(response.url)
        return response
