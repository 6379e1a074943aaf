"""The shop's own scripts as browsers get them."""

from pathlib import Path

from django.core.files.base import ContentFile

from allo.web.static_files import as_served


def served(script: Path) -> str:
    text: bytes = as_served(f"js/{script.name}", ContentFile(script.read_bytes())).read()
    return text.decode()
