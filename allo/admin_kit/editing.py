"""Forms that two people may have open at once: neither overwrites a change without seeing it.

Each field carries the value that it showed. A field that comes back unchanged is neither validated
nor written. A changed one is written, unless the database has another value by now than the one
that was shown: then nothing is saved, and the form shows both values and may be sent again.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from django import forms
from django.core import signing
from django.db import transaction
from django.db.models import Model
from django.forms.boundfield import BoundField
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from allo.admin_kit.generic import GenericAdmin
from allo.web.fields import one_break

Row = TypeVar("Row", bound=Model)

if TYPE_CHECKING:
    AnyModelForm = forms.ModelForm[Any]
else:
    AnyModelForm = forms.ModelForm

DELETED = "Somebody deleted this meanwhile. Nothing was saved."
CHANGED = "Somebody changed this meanwhile. It is now: {now}. Yours is: {yours}. Nothing was saved."
NOW_WHAT = " Save again to replace theirs, or put theirs in to keep it."
CHOOSE_AGAIN = " Choose the file again to replace theirs: a browser does not keep it."


class Seen(NamedTuple):
    """What a field showed: the texts that a browser sends back if nobody edits them, which may be
    less precise than the value (a time without seconds), and the value itself."""

    sent: list[str]
    value: list[str]


class SeenField(BoundField):
    """A field with a hidden input beside it, which carries the shown value, signed."""

    form: "SeenForm"

    @property
    def initial(self) -> Any:
        """Not cached, unlike Django's: the row is read again once it is locked."""
        return self.form.get_initial_for_field(self.field, self.name)

    def value(self) -> Any:
        if self.form.is_bound and not self.touched:
            return self.field.prepare_value(self.initial)
        return super().value()

    def __str__(self) -> SafeString:
        widget = super().__str__()
        if self.field.disabled:
            return widget
        hidden = '{}<input type="hidden" name="{}" value="{}">'
        return format_html(hidden, widget, self.seen_name, self.shown_signed())

    __html__ = __str__

    @property
    def seen_name(self) -> str:
        return f"seen-{self.html_name}"

    def shown(self) -> Seen:
        value = self.form.initial.get(self.name, self.field.initial)
        return Seen(_as_sent(self.field, self.initial), _plain(value))

    def shown_signed(self) -> str:
        return signing.dumps(self.shown(), salt=self._salt, compress=True)

    @cached_property
    def seen(self) -> Seen | None:
        """What the sent form showed; None if it does not say."""
        try:
            kept = signing.loads(self.form.data.get(self.seen_name, ""), salt=self._salt)
        except signing.BadSignature:
            return None
        return Seen(*kept)

    @cached_property
    def touched(self) -> bool:
        if self.field.disabled or (self.seen is None and self._omitted()):
            return False
        return _plain(self.data) != (self.seen or self.shown()).sent

    def conflict(self) -> str:
        """How somebody else changed what was changed here too; "" if nobody did."""
        now = self.shown()
        if (self.seen and self.seen.value == now.value) or _plain(self.data) == now.sent:
            return ""
        before = self.seen.sent if self.seen else []
        words = CHANGED.format(
            now=_words(self, now.sent if now.sent != [""] else now.value, before),
            yours=_words(self, _plain(self.data), before),
        )
        return words + (CHOOSE_AGAIN if self.field.widget.needs_multipart_form else NOW_WHAT)

    def _omitted(self) -> bool:
        data, files = self.form.data, self.form.files
        omitted = self.field.widget.value_omitted_from_data(data, files, self.html_name)
        # An empty choice sends nothing, so it counts only if the form showed the field.
        return omitted or not self.data

    @property
    def _salt(self) -> str:
        row = self.form.instance
        return f"seen:{row._meta.label_lower}:{row.pk}:{self.name}"


class SeenForm(AnyModelForm):
    """A form that changes an existing row."""

    bound_field_class = SeenField
    _read: dict[str, str]

    @cached_property
    def changed_data(self) -> list[str]:
        return [name for name in self.fields if self._field(name).touched]

    def full_clean(self) -> None:
        """Validates and saves only the fields that were edited."""
        every, touched = self.fields, self.changed_data if self.is_bound else []
        self.fields = {name: every[name] for name in touched}
        try:
            super().full_clean()
        finally:
            self.fields = every

    def _post_clean(self) -> None:
        # Locked this late, as cleaning a field may take long, for instance to re-encode a picture.
        if self.changed_data:
            self._lock()
        super()._post_clean()  # type: ignore[misc]

    def _lock(self) -> None:
        """Locks the row until the end of the transaction, and reads it again: the form is compared
        with its current values and written into them."""
        rows = type(self.instance)._base_manager.select_for_update(no_key=True)
        row = rows.filter(pk=self.instance.pk).first()
        if row is None:
            self.add_error(None, DELETED)
            return
        self.instance, self.initial = row, type(self)(instance=row).initial
        self._read = _values(row)
        for name in self.changed_data:
            if conflict := self._field(name).conflict():
                self.add_error(name, conflict)

    def written(self) -> list[str]:
        """The model's fields that the form changed, also those that it shows under another name."""
        if not self.changed_data:
            return []
        now = _values(self.instance)
        return [name for name in now if now[name] != self._read[name]]

    def _field(self, name: str) -> SeenField:
        return cast("SeenField", self[name])


class Editing(GenericAdmin[Row]):
    """Makes each form that changes a row a `SeenForm`."""

    def get_form(
        self, request: HttpRequest, obj: Row | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return _seen(form) if obj else form

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> Any:
        return _seen(super().get_changelist_form(request, **kwargs))

    def changelist_view(self, request: HttpRequest, *args: Any, **more: Any) -> HttpResponse:
        if request.method != "POST" or not self.list_editable:
            return super().changelist_view(request, *args, **more)
        # Django begins a transaction after it validated the rows' forms, but validation locks rows.
        with transaction.atomic():
            return super().changelist_view(request, *args, **more)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if isinstance(form, SeenForm):
            obj.save(update_fields=form.written())
        else:
            super().save_model(request, obj, form, change)


def _seen(form: type[AnyModelForm]) -> type[SeenForm]:
    return type(form.__name__, (SeenForm, form), {})


def _values(row: Model) -> dict[str, str]:
    return {field.name: str(field.value_to_string(row)) for field in row._meta.concrete_fields}


def _plain(value: Any) -> list[str]:
    """A value, or what a browser sent for it, as texts that are equal if the values are."""
    values = value if isinstance(value, list | tuple) else [value]
    texts = (getattr(one, "pk", one) for one in values)
    return sorted("" if text is None else str(one_break(str(text))) for text in texts)


def _as_sent(field: forms.Field, initial: Any) -> list[str]:
    # The admin wraps widgets that have a link to add another row.
    widget: Any = getattr(field.widget, "widget", field.widget)
    value = field.prepare_value(initial)
    if isinstance(widget, forms.FileInput):
        return _plain(None)
    if isinstance(widget, forms.CheckboxInput):
        return _plain(bool(value))
    if isinstance(widget, forms.MultiWidget):
        parts: Any = value if isinstance(value, list) else widget.decompress(value)
        pairs = zip(widget.widgets, parts, strict=True)
        return _plain([one.format_value(part) for one, part in pairs])
    return _plain(widget.format_value(value))


def _words(field: SeenField, texts: list[str], before: list[str]) -> str:
    """In the words of the form; for several choices, those added and those removed."""
    if isinstance(field.field, forms.MultipleChoiceField | forms.ModelMultipleChoiceField):
        return _difference(field.field, texts, before)
    if isinstance(field.field, forms.BooleanField):
        return "yes" if texts == ["True"] else "no"
    return " ".join(_labels(field.field, texts)) or "nothing"


def _difference(field: Any, texts: list[str], before: list[str]) -> str:
    added = _labels(field, [text for text in texts if text not in before])
    gone = _labels(field, [text for text in before if text not in texts])
    parts = [*(f"with {label}" for label in added), *(f"without {label}" for label in gone)]
    return ", ".join(parts) or "as it was"


def _labels(field: forms.Field, texts: Sequence[str]) -> list[str]:
    if not hasattr(field, "choices"):
        return [text for text in texts if text]
    labels = {str(value): str(label) for value, label in field.choices}
    return [labels.get(text, text) for text in texts if text]
