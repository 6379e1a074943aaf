"""A browser in words. Only the words are stored."""

import re

# The first that matches. The order matters: most browsers also name those that they descend from.
BROWSERS = (
    (r"Edg(e|A|iOS)?/", "Edge"),
    (r"OPR/|Opera", "Opera"),
    (r"SamsungBrowser/", "Samsung Internet"),
    (r"Firefox/|FxiOS/", "Firefox"),
    (r"Chrome/|Chromium/|CriOS/", "Chrome"),
    (r"Safari/", "Safari"),
)
SYSTEMS = (
    (r"iPhone", "an iPhone"),
    (r"iPad", "an iPad"),
    (r"Android", "Android"),
    (r"Windows", "Windows"),
    (r"CrOS", "a Chromebook"),
    (r"Macintosh|Mac OS X", "a Mac"),
    (r"Linux", "Linux"),
)


def in_words(user_agent: str) -> str:
    """Such as "Firefox on Windows"."""
    browser = _first(BROWSERS, user_agent) or "A browser"
    system = _first(SYSTEMS, user_agent) or "an unknown device"
    return f"{browser} on {system}"


def _first(known: tuple[tuple[str, str], ...], user_agent: str) -> str:
    return next((name for mark, name in known if re.search(mark, user_agent)), "")
