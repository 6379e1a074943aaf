"""HTML whose text is escaped, and the frame of the bank's pages.

They look like the shop's: the style sheets of its design and its fonts are served from `static/`.
"""

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from checkout.bank.web import Response

STATIC = Path(__file__).resolve().parents[2] / "static"
OWN_STYLE = Path(__file__).with_name("bank.css")
STYLES = ("reset", "tokens", "base", "buttons", "parts")
SERVED = re.compile(
    rf"/static/(css/(?:{'|'.join(STYLES)})\.css|fonts/[\w-]+\.woff2|icons/favicon\.svg)"
)
TYPES = {".css": "text/css", ".woff2": "font/woff2", ".svg": "image/svg+xml"}
VOID = {"input", "link", "meta"}


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(element: str, /, *children: str, **attributes: str | bool | None) -> Html:
    """`class_` is the attribute class, `aria_label` is aria-label; True is an attribute without a
    value, None and False are none."""
    inner = joined(*children)
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{element}{written}>" + ("" if element in VOID else f"{inner}</{element}>"))


def joined(*children: str) -> Html:
    return Html("".join(text if isinstance(text, Html) else escape(text) for text in children))


def button(
    words: str,
    *,
    name: str | None = None,
    value: str | None = None,
    look: str = "button-quiet",
    described_by: str | None = None,
) -> Html:
    return tag(
        "button",
        words,
        class_=f"button {look}",
        type="submit",
        name=name,
        value=value,
        aria_describedby=described_by,
    )


def page(title: str, *body: str, status: int = 200, form_targets: Sequence[str] = ()) -> Response:
    """`form_targets` are the origins to which a form may lead on from here."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="robots", content="noindex"),
        tag("title", f"{title} · The bank of make up"),
        tag("link", rel="icon", href="/static/icons/favicon.svg"),
        *(tag("link", rel="stylesheet", href=f"/static/css/{name}.css") for name in STYLES),
        tag("link", rel="stylesheet", href="/bank.css"),
    )
    frame = tag(
        "body",
        tag(
            "header",
            tag("p", tag("a", "The bank", href="/"), class_="bank-name"),
            tag("p", "Simulated: no real money moves.", class_="bank-note"),
            class_="bank-header",
        ),
        tag("main", *body, class_="bank-main"),
    )
    text = "<!doctype html>" + tag("html", head, frame, lang="en")
    return Response(status, text.encode(), _page_headers(form_targets))


def _page_headers(form_targets: Sequence[str]) -> dict[str, str]:
    targets = " ".join(["'self'", *sorted(set(form_targets))])
    policy = (
        "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; base-uri 'none';"
        f" frame-ancestors 'none'; form-action {targets}"
    )
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }


def file(path: str) -> Response | None:
    """A file that pages need, or None."""
    served = SERVED.fullmatch(path)
    found = OWN_STYLE if path == "/bank.css" else STATIC / served[1] if served else None
    if found is None or not found.is_file():
        return None
    headers = {"Content-Type": TYPES[found.suffix], "Cache-Control": "max-age=300"}
    return Response(200, found.read_bytes(), headers)


def rupees(paise: int, currency: str = "inr") -> str:
    """With Indian digit grouping, as in the shop; paise only if there are any."""
    whole, rest = divmod(paise, 100)
    grouped = re.sub(r"(?<=\d)(?=(\d\d)+\d$)", ",", str(whole))
    sign = "₹" if currency == "inr" else currency.upper()
    return f"{sign}\N{NO-BREAK SPACE}{grouped}" + (f".{rest:02}" if rest else "")
