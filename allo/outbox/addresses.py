"""Which addresses mail is sent to. Without Django, as the settings use it."""

import re

LONGEST = 254
# Neither quotes nor comments nor lists: nothing that could be a second address or another header.
NAME = re.compile(r"[\w!#$%&'*+/=?^`{|}~.-]{1,64}", re.ASCII)
DOMAIN = re.compile(r"[\w.-]+", re.ASCII)


class BadAddress(ValueError):
    def __init__(self) -> None:
        super().__init__("This is not one plain e-mail address, such as asha@example.org.")


def checked(address: str) -> str:
    """The address itself. Raises `BadAddress`."""
    name, _, domain = address.rpartition("@")
    try:
        # As it is sent: domains in other scripts have an ASCII form, names have none.
        domain = domain.encode("idna").decode()
    except UnicodeError:
        raise BadAddress from None
    if not NAME.fullmatch(name) or not DOMAIN.fullmatch(domain) or len(address) > LONGEST:
        raise BadAddress
    return address


def key_of(address: str) -> str:
    """The same for all spellings of a checked address: no mail server is known to tell capitals
    apart, and a domain in another script has one ASCII form."""
    name, _, domain = address.rpartition("@")
    return f"{name}@{domain.encode('idna').decode()}".lower()
