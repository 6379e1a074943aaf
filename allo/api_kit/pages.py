"""Lists that are read a page at a time: their parameters, their frame, their addresses."""

from collections.abc import Collection
from typing import Annotated, Any
from urllib.parse import urlencode

from django.http import HttpRequest
from ninja import Query

from allo.api_kit import problems
from allo.api_kit.api import invalid

PageNumber = Annotated[
    int, Query(ge=1, le=999_999, description="From 1; past the end there are no results.")
]
LISTED = (problems.INVALID, problems.NOT_FOUND, problems.TOO_LONG)


def page_of(example: dict[str, Any], following: str | None) -> dict[str, Any]:
    return {"count": 30 if following else 1, "next": following, "previous": None,
            "results": [example]}  # fmt: skip


def around(
    request: HttpRequest, number: int, following: dict[str, Any] | None
) -> dict[str, str | None]:
    """The pages before and after this one."""
    return {
        "next": _address(request, following) if following else None,
        "previous": _address(request, {"page": number - 1}) if number > 1 else None,
    }


def _address(request: HttpRequest, place: dict[str, Any]) -> str:
    query = {name: values for name, values in request.GET.lists() if name != "after"}
    return f"{request.path}?{urlencode({**query, **place}, doseq=True)}"


def refuse_unknown(request: HttpRequest, known: set[str], several: Collection[str] = ()) -> None:
    """A misspelt filter that is ignored would answer another question. "1.0" is no page. `several`
    may be given more than once."""
    wrong = [
        (name, "Unknown parameter." if name not in known else "Given twice.")
        for name, values in request.GET.lists()
        if name not in known or (len(values) > 1 and name not in several)
    ]
    page = request.GET.get("page", "1")
    if not (page.isascii() and page.isdigit()):
        wrong.append(("page", "Give a whole number."))
    if wrong:
        raise invalid(wrong)
