"""The admin's form of a product."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.files.base import ContentFile, File

from allo.web.days import year_is_near
from allo.web.uploads import MOST_MEGABYTES
from catalog import pictures
from catalog.models import Product
from catalog.picture_order import OrderField
from catalog.slugs import refuse_used

MOST_AT_ONCE = 10
# static/js/upload.js refuses a larger file before it is sent.
TAKEN = {"accept": "image/jpeg,image/png,image/webp", "data-megabytes": MOST_MEGABYTES}


class PictureField(forms.FileField):
    """Re-encodes an uploaded picture; see `catalog.pictures`."""

    # The present picture is shown above the field, without Django's link to the file.
    widget = forms.FileInput

    def __init__(self, **kwargs: Any) -> None:
        kwargs.pop("max_length", None)
        super().__init__(**kwargs)
        self.widget.attrs |= TAKEN

    def to_python(self, data: "File[Any] | None") -> Any:
        file = super().to_python(data)
        if file is None:
            return None
        try:
            return _redrawn(file)
        except pictures.PictureError as error:
            raise forms.ValidationError(str(error)) from error


def _redrawn(file: "File[Any]") -> "ContentFile[bytes]":
    picture = pictures.redraw(file, file.size)
    redrawn = ContentFile(picture.content, name="picture.webp")
    redrawn.dominant_hex = picture.dominant_hex  # type: ignore[attr-defined]
    return redrawn


class Several(forms.FileInput):
    allow_multiple_selected = True

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """None if no file was chosen, as for a single file."""
        return super().value_from_datadict(data, files, name) or None


class PicturesField(forms.FileField):
    """Several pictures at once. If one is refused all are, with the reason for each."""

    widget = Several

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.widget.attrs |= {**TAKEN, "data-most": MOST_AT_ONCE}

    def clean(self, data: "list[File[Any]] | None", initial: Any = None) -> list[Any]:  # noqa: ARG002 - as for one file
        if len(data or ()) > MOST_AT_ONCE:
            raise forms.ValidationError(f"At most {MOST_AT_ONCE} pictures at a time.")
        redrawn, refused = [], []
        for file in data or ():
            try:
                redrawn.append(_redrawn(file))
            except pictures.PictureError as error:
                refused.append(f"{file.name}: {error}")
        if refused:
            raise forms.ValidationError(refused)
        return redrawn


def _moment(label: str, help_text: str) -> forms.DateTimeField:
    widget = forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(
        label=label, required=False, help_text=help_text, widget=widget, validators=[year_is_near]
    )


class ProductForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for type checkers alone
    order = OrderField(
        label="Order",
        required=False,
        help_text="1 comes first, in the grid too. Drag a picture, or type a number, to move it. A"
        " click on any but the first opens the page with its words.",
    )
    price = forms.DecimalField(
        label="Price (₹)",
        min_value=Decimal("0.01"),
        max_value=Decimal(20_000_000),
        decimal_places=2,
        help_text="In rupees, with paise if there are any: 12450 or 12450.50",
    )
    image = PictureField(
        label="Picture",
        help_text=f"Drop it here, or choose it: JPEG, PNG or WebP, up to {MOST_MEGABYTES} MB. Best"
        " upright, 4 to 5, 1600 pixels wide or more.",
    )

    further = PicturesField(
        label="Add pictures",
        required=False,
        help_text=f"Drop up to {MOST_AT_ONCE} at a time, or choose several. They come after those"
        " above.",
    )
    published_at = _moment("Published from", "When it appears in the shop. Empty: it does not.")
    opens_at = _moment(
        "Opens",
        "Until then the shop shows a countdown, and nobody can hold any. Empty: it is open.",
    )

    class Meta:
        model = Product
        fields = (
            "name", "slug", "category", "tagline", "description", "material", "colour",
            "dimensions_cm", "gst_percent", "max_per_customer", "image", "alt", "position",
            "published_at", "opens_at",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "price" in self.fields and self.instance.price_paise:
            self.initial["price"] = Decimal(self.instance.price_paise) / 100
        order = self.fields.get("order")
        if isinstance(order, OrderField) and self.instance.pk:
            self.initial["order"] = order.show(self.instance)

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        refuse_used(slug, self.instance)
        return slug

    def save(self, commit: bool = True) -> Any:
        if price := self.cleaned_data.get("price"):
            self.instance.price_paise = int(price * 100)
        if colour := getattr(self.cleaned_data.get("image"), "dominant_hex", None):
            self.instance.dominant_hex = colour
            self.instance.widths = None
        return super().save(commit)
