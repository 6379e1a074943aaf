"""The shop's own scripts as browsers get them."""

import re
from pathlib import Path

from rjsmin import jsmin

IMPORT = re.compile(r'import "\./(.+)";')


def served(script: Path) -> str:
    """With those that it imports in it."""
    whole = IMPORT.sub(lambda found: served(script.with_name(found[1])), script.read_text())
    return str(jsmin(whole))
