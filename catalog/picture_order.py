"""The order of a product's pictures: all of them in one form, a number for each."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django import forms
from django.forms import Script
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from catalog.models import Pictured, Product, ProductPicture

# The product's own picture, which is the first; a further one is named by its key.
OWN = "own"


class Shown(NamedTuple):
    key: str
    alt: str
    url: str
    # Of its page, where its words are; the words of the product's own are on the product's.
    page: str
    image: str


def shown_of(product: Product) -> list[Shown]:
    """In their order."""
    further = (
        Shown(
            str(row.pk),
            row.alt,
            row.url_at(160),
            reverse("admin:catalog_productpicture_change", args=[row.pk]),
            row.image.name or "",
        )
        for row in product.pictures.all()
    )
    return [Shown(OWN, product.alt, product.url_at(160), "", product.image.name or ""), *further]


def thumbnails(rows: Iterable[tuple[Shown, SafeString | str]]) -> SafeString:
    """Each picture with what stands below it."""
    return format_html(
        '<ul class="pictures">{}</ul>',
        format_html_join("", "<li>{}{}</li>", ((_thumbnail(one), below) for one, below in rows)),
    )


def _thumbnail(one: Shown) -> SafeString:
    image = format_html('<img src="{}" width="80" height="100" alt="{}">', one.url, one.alt)
    return format_html('<a href="{}">{}</a>', one.page, image) if one.page else image


class Places(forms.Widget):
    """Its value is a list of texts: the number of each picture and its key, and in a line of its
    own, which no browser sends back, its file. That may change while key and number stay."""

    rows: Sequence[Shown] = ()

    class Media:
        js = (Script("js/picture-order.js", type="module"),)

    def format_value(self, value: Any) -> Any:
        return [text.partition("\n")[0] for text in value or ()]

    def value_from_datadict(self, data: Any, _files: Any, name: str) -> list[str]:
        return [
            f"{data[key]}:{key.partition('-')[2]}" for key in data if key.startswith(f"{name}-")
        ]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return not self.value_from_datadict(data, files, name)

    def id_for_label(self, _id: str) -> str:
        return ""

    def render(self, name: str, value: Any, *_: Any, **__: Any) -> SafeString:
        typed = _by_key(value or ())
        return thumbnails((one, self._number(name, one, typed)) for one in self.rows)

    def _number(self, name: str, one: Shown, typed: dict[str, str]) -> SafeString | str:
        if len(self.rows) < 2:
            return ""
        return format_html(
            '<input type="number" name="{}-{}" value="{}" min="1" max="{}" required'
            ' aria-label="Place of: {}">',
            name,
            one.key,
            typed.get(one.key, ""),
            len(self.rows),
            one.alt,
        )


class OrderField(forms.Field):
    """The keys of the pictures in their new order. Whoever moves one types one number: it then
    stands before the one that has this number, or, moved down, behind it."""

    widget = Places

    def show(self, product: Product) -> list[str]:
        """The pictures of this product; returns what the field shows. One alone has no number."""
        self.widget.rows = rows = shown_of(product)
        numbered = rows if len(rows) > 1 else ()
        return [f"{place}:{one.key}\n{one.image}" for place, one in enumerate(numbered, start=1)]

    @property
    def choices(self) -> list[tuple[str, str]]:
        """What each value is in words."""
        rows = self.widget.rows
        places = range(1, len(rows) + 1)
        return [(f"{place}:{one.key}", f"{place}. {one.alt}") for one in rows for place in places]

    def clean(self, value: list[str]) -> list[str]:
        typed = _by_key(value)
        now = [one.key for one in self.widget.rows]
        most = len(now)
        wanted = {key: _whole(typed.get(key, "")) for key in now}
        if not all(1 <= number <= most for number in wanted.values()):
            raise forms.ValidationError(f"Give each picture a whole number from 1 to {most}.")
        moved = {key: wanted[key] - place for place, key in enumerate(now, start=1)}
        return sorted(now, key=lambda key: (wanted[key], (moved[key] > 0) - (moved[key] < 0)))


def _by_key(value: Iterable[str]) -> dict[str, str]:
    pairs = (text.partition("\n")[0].rpartition(":") for text in value)
    return {key: number for number, _, key in pairs}


def _whole(text: str) -> int:
    """0 if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0


def reorder(product: Product, keys: list[str]) -> None:
    """The product's row is locked. A picture may have been deleted since the order was checked."""
    first = None if keys[0] == OWN else product.pictures.filter(pk=keys[0]).first()
    if first:
        _show_first(first)
        # Its row has the picture now that was first.
        keys = [OWN, *(keys[0] if key == OWN else key for key in keys[1:])]
    for place, key in enumerate(keys):
        if key != OWN:
            product.pictures.filter(pk=key).update(position=place)


def _show_first(row: ProductPicture) -> None:
    """The product's own picture and this one change places."""
    shown = tuple(field.name for field in Pictured._meta.get_fields())
    products, further = (
        Product.objects.filter(pk=row.product_id),
        ProductPicture.objects.filter(pk=row.pk),
    )
    before = products.values(*shown).get()
    products.update(**further.values(*shown).get())
    further.update(**before)
