"""Writes the styles of a mail into its elements, as many mail programs read no style sheet."""

from functools import cache
from typing import Any


def inlined(page: str) -> str:
    """What depends on the screen (`@media`) stays in the page's `<style>`."""
    return str(_inliner().inline(page))


@cache
def _inliner() -> Any:
    # Imported when used: this takes 0.15 s, and only workers make mail.
    from css_inline import CSSInliner  # noqa: PLC0415

    return CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
