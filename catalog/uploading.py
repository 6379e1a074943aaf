"""The admin's forms with pictures, which static/js/upload.js sends."""

import logging
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Model
from django.forms import Script
from django.forms.forms import BaseForm
from django.forms.utils import ErrorDict
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseRedirectBase
from django_htmx.http import HttpResponseClientRedirect

from allo.admin_kit.base import ModelAdmin
from allo.postgresql import timeouts
from allo.web.storing import NotStored

Row = TypeVar("Row", bound=Model)

NOT_STORED = (
    "The picture could not be stored, and nothing was saved. Save again in a minute, with the file"
    " chosen again if it is no longer named below; if it fails again, whoever runs the shop finds"
    " the reason in its log."
)

logger = logging.getLogger(__name__)


class NotSaved(BaseForm):
    """Shows a form as it was sent, without reading it again."""

    def full_clean(self) -> None:
        self._errors, self.cleaned_data = ErrorDict(renderer=self.renderer), {}
        self.add_error(None, NOT_STORED)


class Uploading(ModelAdmin[Row]):
    class Media:
        js = (Script("js/upload.js", type="module"),)

    def _changeform_view(self, request: HttpRequest, *args: Any) -> HttpResponse:
        if request.method != "POST":
            return self._answer(request, *args)
        # Django reads the form in a transaction, which is idle while its pictures are re-encoded.
        # That takes seconds for each: nothing must be locked before it is done.
        timeouts.lift("idle_in_transaction_session_timeout")
        try:
            with transaction.atomic():
                response = self._answer(request, *args)
        except NotStored as error:
            logger.warning("%s", error)
            request.not_stored = True  # type: ignore[attr-defined]
            response = self._answer(request, *args)
        if request.htmx and isinstance(response, HttpResponseRedirectBase):  # type: ignore[attr-defined]
            # The script opens the next page itself. If its request followed a redirect, that would
            # use up the message for the page.
            return HttpResponseClientRedirect(response.url)
        return response

    def _answer(self, request: HttpRequest, *args: Any) -> HttpResponse:
        response: HttpResponse = super()._changeform_view(request, *args)  # type: ignore[misc]
        return response

    def get_form(self, request: HttpRequest, *args: Any, **more: Any) -> Any:
        form = super().get_form(request, *args, **more)
        if hasattr(request, "not_stored"):
            return type(form.__name__, (NotSaved, form), {})
        return form
