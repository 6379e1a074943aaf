"""The parameters of the list of products."""

from collections.abc import Iterable
from typing import Annotated

from ninja import Query
from pydantic import WithJsonSchema

from catalog import search
from catalog.choices import COLOURS, MATERIALS, PRICES

After = Annotated[
    str,
    Query(
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="From the address in `next`: where the page before ended, so that nothing is"
        " skipped or repeated while stock changes.",
    ),
]
# No NUL or other control characters, like the grid's form.
Words = Annotated[
    str,
    Query(
        max_length=search.LONGEST,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="Words to search for.",
    ),
]
Slug = Annotated[
    str | None, Query(pattern="^[-a-zA-Z0-9_]{1,80}$", description="A category's slug.")
]


def _any_of(keys: Iterable[str]) -> str:
    return f"^({'|'.join(keys)})$"


Price = Annotated[
    str | None,
    Query(pattern=_any_of(PRICES), description="In rupees; the upper bound excluded."),
]
# The form refuses others, by the parameter's own name.
Kind = Annotated[str, WithJsonSchema({"type": "string", "enum": [*MATERIALS]})]
Hue = Annotated[str, WithJsonSchema({"type": "string", "enum": [*COLOURS]})]
Materials = Annotated[
    list[Kind] | None,
    Query(description="Kinds of material, of which `material` names one at least."),
]
Colours = Annotated[list[Hue] | None, Query(description="The product's `colour` is one of them.")]
