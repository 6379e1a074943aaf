"""Addresses of the shop's own pages, as a form or a link names the page to go to."""

from urllib.parse import urlsplit

from django.urls import Resolver404, resolve
from django.utils.http import url_has_allowed_host_and_scheme

from allo.web.names import CONTROLS

LONGEST_PAGE = 500
# What only a form may call, or what is no page of the shop.
FOREIGN = ("/admin/", "/api/", "/live/", "/media/", "/payments/", "/account/sign-")


def own_page(address: str) -> str:
    """The address if it is a page of the shop; else "". Never another host, however it is
    written."""
    if len(address) > LONGEST_PAGE or not address.startswith("/") or address.startswith(FOREIGN):
        return ""
    if CONTROLS.search(address) or not url_has_allowed_host_and_scheme(address, allowed_hosts=None):
        return ""
    try:
        resolve(urlsplit(address).path)
    except (Resolver404, ValueError):
        return ""
    return address
