"""What is in a page that staff write, but would not be seen: said when they save it."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings

from allo.site import docs as documents

SCHEMES = ("http", "https", "mailto", "tel")
PICTURE = (
    "The picture {} would not be seen: pages show only the shop’s own pictures, whose addresses"
    " begin with {}. Leave it out, or put one of those."
)
LINK = (
    "The link to {} would lead nowhere. Begin its address with https:// for another site, or with /"
    " for a page of the shop, such as /delivery/; an e-mail address with mailto:."
)


def faults(markdown: str) -> Iterator[str]:
    """A sentence for each picture and each link."""
    for token in documents.MARKDOWN.parse(markdown):
        for part in token.children or ():
            if part.type == "image" and not _is_own(src := str(part.attrGet("src"))):
                yield PICTURE.format(src or "without an address", settings.MEDIA_URL)
            elif part.type == "link_open" and not _leads(href := str(part.attrGet("href"))):
                yield LINK.format(href or "no address")


def _is_own(src: str) -> bool:
    """As the Content-Security-Policy lets a browser load it."""
    if src.startswith("static/"):
        return documents.static_picture(src) is not None
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(src))
    return (src[:1] == "/" != src[1:2]) or origin in (settings.SITE_URL, settings.MEDIA_ORIGIN)


def _leads(href: str) -> bool:
    if not href or documents.address_here(href) is None:
        return False
    return href.startswith(("/", "#")) or urlsplit(href).scheme in ("", *SCHEMES)
