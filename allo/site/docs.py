"""The README and `docs/` as pages: Markdown without raw HTML, then sanitised, so that nothing in
it can run. Links between the files lead to each other's pages here, as they do on a code host."""

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import nh3
from django.conf import settings
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

from allo.site.sources import SOURCES, Source

_ATTRIBUTES = {
    **nh3.ALLOWED_ATTRIBUTES,
    **{f"h{level}": {"id"} for level in range(1, 5)},
    "code": {"class"},
    "img": {*nh3.ALLOWED_ATTRIBUTES["img"], "loading"},
    "span": {"class"},
    "pre": {"tabindex"},
    "td": {*nh3.ALLOWED_ATTRIBUTES["td"], "data-label"},
}
_SVG_SIZE = re.compile(r'<svg [^>]*?width="(\d+)" height="(\d+)"')


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    title: str
    html: SafeString
    toc: list[Heading]


def read(source: Source) -> Document:
    text = (settings.BASE_DIR / source.path).read_text(encoding="utf-8")
    return render(text, folder=posixpath.dirname(source.path))


def render(markdown: str, *, folder: str = "") -> Document:
    """`folder` is where the file is, in the repository: what relative links begin at."""
    parser = MarkdownIt("js-default", {"html": False, "highlight": _highlight})
    tokens = parser.parse(markdown)
    headings = _anchor(tokens)
    _label(tokens)
    for token in tokens:
        if token.children:
            token.children = list(_led_elsewhere(token.children, folder))
    html = parser.renderer.render(tokens, parser.options, {})
    return Document(
        title=next((heading.text for heading in headings if heading.level == 1), ""),
        html=mark_safe(_clean(html)),  # noqa: S308 - nh3 has just cleaned it
        toc=[heading for heading in headings if heading.level in (2, 3)],
    )


def inline(markdown: str) -> SafeString:
    """A sentence within a page."""
    return mark_safe(_clean(MARKDOWN.renderInline(markdown)))  # noqa: S308 - as above


MARKDOWN = MarkdownIt("js-default", {"html": False})
_clean = partial(nh3.clean, attributes=_ATTRIBUTES, link_rel="noopener")


def _anchor(tokens: Sequence[Token]) -> list[Heading]:
    """Gives each heading a unique id."""
    headings, seen = [], set()
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            anchor = slugify(inline.content)
            while anchor in seen:
                anchor += "-"
            seen.add(anchor)
            opening.attrSet("id", anchor)
            headings.append(Heading(int(opening.tag[1]), anchor, _text(inline)))
    return headings


def _label(tokens: Sequence[Token]) -> None:
    """Gives each cell the heading of its column, which a phone shows beside it."""
    columns: list[str] = []
    column = 0
    for opening, inline in pairwise(tokens):
        if opening.type == "table_open":
            columns = []
        elif opening.type == "tr_open":
            column = 0
        elif opening.type == "th_open":
            columns.append(_text(inline))
        elif opening.type == "td_open":
            opening.attrSet("data-label", columns[column])
            column += 1


def _text(inline: Token) -> str:
    return "".join(part.content for part in inline.children or ())


# --- links and pictures, whose addresses differ from those in the repository ---------------------


def _led_elsewhere(parts: Sequence[Token], folder: str) -> Iterator[Token]:
    """A link to another document leads to its page. A file that has no page here is named only."""
    unlinked = False
    for part in parts:
        if part.type == "image":
            _show_static(part, folder)
        if part.type == "link_open":
            address = address_here(str(part.attrGet("href")), folder)
            unlinked = address is None
            part.attrSet("href", address or "")
        if not (unlinked and part.type in {"link_open", "link_close"}):
            yield part


def address_here(href: str, folder: str = "") -> str | None:
    """None for a file of the repository that is not a page."""
    path, _, anchor = href.partition("#")
    if not path or path.startswith("/") or ":" in path:
        return href
    name = posixpath.normpath(posixpath.join(folder, path))
    found = next((source.url for source in SOURCES if source.path == name), None)
    return f"{found}#{anchor}" if found and anchor else found


def _show_static(image: Token, folder: str) -> None:
    """Adds the picture's size, so that nothing moves when it loads; the text comes first."""
    if shown := static_picture(str(image.attrGet("src") or ""), folder):
        image.attrs.update(shown, loading="lazy")


def static_picture(source: str, folder: str = "") -> dict[str, str] | None:
    """The attributes that show a static file; None if it is no picture whose size can be read."""
    path = posixpath.normpath(posixpath.join(folder, source))
    name = path.removeprefix("static/")
    found = finders.find(name) if path.startswith("static/") else None
    size = _size(Path(found)) if found else None
    return {"src": static(name), "width": size[0], "height": size[1]} if size else None


def _size(path: Path) -> tuple[str, str] | None:
    if path.suffix == ".svg":
        found = _SVG_SIZE.search(path.read_text(encoding="utf-8"))
        return (found[1], found[2]) if found else None
    try:
        with Image.open(path) as picture:
            return str(picture.width), str(picture.height)
    except OSError:  # a folder, or a file of another kind
        return None


def _highlight(code: str, language: str, _attributes: str) -> str:
    """Code with Pygments' classes, in a box that can be scrolled by keyboard."""
    try:
        lexer = get_lexer_by_name(language or "text")
    except ClassNotFound:
        lexer = get_lexer_by_name("text")
    lines = highlight(code, lexer, HtmlFormatter(nowrap=True))
    return f'<pre tabindex="0"><code>{lines}</code></pre>'
