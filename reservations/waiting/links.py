"""The signed links in the mail about an entry: the key of one opens it without an account."""

from allo.web.mail_links import Links
from reservations.models import WaitingEntry

_links = Links[WaitingEntry](salt="reservations.waiting", pages="waiting", page="place")
link_to, path_to, key_of, opens = _links.link_to, _links.path_to, _links.key_of, _links.opens
