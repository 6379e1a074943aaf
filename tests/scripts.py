"""The shop's own scripts as browsers get them."""

from pathlib import Path

from rjsmin import jsmin


def served(script: Path) -> str:
    return str(jsmin(script.read_text()))
