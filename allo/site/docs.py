"""README.md as a page: Markdown without raw HTML, then cleaned, so that nothing in it can run."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import nh3
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from markdown_it import MarkdownIt
from markdown_it.token import Token
from PIL import Image
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

_ATTRIBUTES = {
    **nh3.ALLOWED_ATTRIBUTES,
    **{f"h{level}": {"id"} for level in range(1, 5)},
    "code": {"class"},
    "span": {"class"},
    "pre": {"tabindex"},
}


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    html: SafeString
    toc: list[Heading]


def render(markdown: str) -> Document:
    parser = MarkdownIt("js-default", {"html": False, "highlight": _highlight})
    tokens = parser.parse(markdown)
    toc = _anchor(tokens)
    _point_to_static(tokens)
    html = parser.renderer.render(tokens, parser.options, {})
    return Document(mark_safe(_clean(html)), toc)  # noqa: S308 - nh3 has just cleaned it


_clean = partial(nh3.clean, attributes=_ATTRIBUTES, link_rel="noopener")


def _anchor(tokens: Sequence[Token]) -> list[Heading]:
    """Gives each heading an id of its own; the second and third level make the contents."""
    toc, seen = [], set()
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            anchor = slugify(inline.content)
            while anchor in seen:
                anchor += "-"
            seen.add(anchor)
            opening.attrSet("id", anchor)
            toc.append(Heading(int(opening.tag[1]), anchor, _text(inline)))
    return [heading for heading in toc if heading.level in (2, 3)]


def _text(inline: Token) -> str:
    return "".join(part.content for part in inline.children or ())


def _point_to_static(tokens: Sequence[Token]) -> None:
    """A picture that is `static/…` in the repository has another address in the shop."""
    for token in tokens:
        for part in token.children or ():
            source = str(part.attrGet("src") or "")
            if part.type == "image" and source.startswith("static/"):
                _show_static(part, source.removeprefix("static/"))


def _show_static(image: Token, name: str) -> None:
    """With its size, so that nothing moves when it arrives."""
    if path := finders.find(name):
        image.attrSet("src", static(name))
        with Image.open(path) as picture:
            image.attrSet("width", str(picture.width))
            image.attrSet("height", str(picture.height))


def _highlight(code: str, language: str, _attributes: str) -> str:
    """Code in Pygments' classes; in a box that can be scrolled by keyboard, too."""
    try:
        lexer = get_lexer_by_name(language or "text")
    except ClassNotFound:
        lexer = get_lexer_by_name("text")
    lines = highlight(code, lexer, HtmlFormatter(nowrap=True))
    return f'<pre tabindex="0"><code>{lines}</code></pre>'
