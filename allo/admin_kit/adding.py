"""Forms that add a row: each adds one, however often it is sent.

A form carries the key of the row that it will add, taken from the table's own sequence when the
form is shown, and signed. Of those who insert the same key the database lets one through, and a
form that is sent again finds the row that is there.
"""

from typing import Any, ClassVar, TypeVar

from django.contrib import messages
from django.contrib.admin.options import IS_POPUP_VAR
from django.core import signing
from django.db import IntegrityError, connection
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from allo.admin_kit.pages import Pages
from allo.web.parts import SeeOther

Row = TypeVar("Row", bound=Model)

FIELD = "adds"
NEXT = "SELECT nextval(pg_get_serial_sequence(%s, %s))"
EXISTS = "{} exists already: this form was sent before. Nothing was added twice."


class Adding(Pages[Row]):
    # What is said besides, such as that something was shown only the first time.
    exists_already: ClassVar[str] = ""

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if row := self._added(request):
            return self._say_exists(request, row)
        shown = {"adds": self._signed(request), **(extra_context or {})}
        try:
            return super().add_view(request, form_url, shown)
        except IntegrityError:
            # The form was sent twice at once, and this one waited for the other.
            if row := self._added(request):
                return self._say_exists(request, row)
            raise

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        row = super().save_form(request, form, change)
        if not change:
            row.pk = self._key(request)
        return row

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
        else:
            # With a key, Django would update a row that has it.
            obj.save(force_insert=True)

    def _added(self, request: HttpRequest) -> Row | None:
        """The row that this form added before."""
        if not self.has_add_permission(request) or not (key := self._key(request)):
            return None
        return self.get_object(request, str(key))

    def _say_exists(self, request: HttpRequest, row: Row) -> HttpResponse:
        if IS_POPUP_VAR in request.POST:
            return super().response_add(request, row)
        messages.info(request, f"{EXISTS.format(row)} {self.exists_already}".rstrip())
        return SeeOther(self.address("change", row.pk))

    def _key(self, request: HttpRequest) -> int | None:
        try:
            key: int = self._signer(request).unsign_object(request.POST.get(FIELD, ""))
        except signing.BadSignature:
            return None
        return key

    def _signed(self, request: HttpRequest) -> str:
        """Of a new form its own key, of one that is shown again the key that it had."""
        if key := self._key(request) or _next_key(self.model):
            return self._signer(request).sign_object(key)
        return ""

    def _signer(self, request: HttpRequest) -> signing.Signer:
        return signing.Signer(salt=f"adds:{self.opts.label_lower}:{request.user.pk}")


def _next_key(model: type[Model]) -> int | None:
    """None if the database does not number its rows."""
    with connection.cursor() as cursor:
        cursor.execute(NEXT, [model._meta.db_table, model._meta.pk.column])
        [key] = cursor.fetchone()
    return int(key) if key else None
