"""A page's form as a browser would send it without any input."""

from html.parser import HTMLParser
from typing import Any


class _Form(HTMLParser):
    """The form of a page that has this id."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.inside = False
        self.fields: dict[str, Any] = {}
        self._text: str | None = None
        self._select: tuple[str, bool] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.inside = given.get("id") == self.name
        if not self.inside:
            return
        name = given.get("name") or ""
        match tag:
            case "input":
                self._input(name, given)
            case "textarea":
                self._text, self.fields[name] = name, ""
            case "select":
                self._select = (name, "multiple" in given)
                self.fields[name] = [] if "multiple" in given else None
            case "option" if self._select:
                self._option(*self._select, given)

    def _input(self, name: str, given: dict[str, str | None]) -> None:
        kind = given.get("type")
        if not name or kind in ("submit", "file") or "disabled" in given:
            return
        if kind != "checkbox" or "checked" in given:
            self.fields[name] = given.get("value", "on" if kind == "checkbox" else "")

    def _option(self, name: str, many: bool, given: dict[str, str | None]) -> None:
        if many and "selected" in given:
            self.fields[name].append(given.get("value"))
        elif not many and ("selected" in given or self.fields[name] is None):
            self.fields[name] = given.get("value") or ""

    def handle_data(self, data: str) -> None:
        if self._text:
            self.fields[self._text] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._text:
            # As a browser reads the first line break, and as it sends the others.
            text = self.fields[self._text].removeprefix("\n")
            self.fields[self._text] = text.replace("\n", "\r\n")
            self._text = None
        if tag == "select":
            self._select = None
        if tag == "form":
            self.inside = False


def sent(page: Any, form: str, **changed: Any) -> dict[str, Any]:
    """The fields of the form with this id, but for what is changed."""
    found = _Form(form)
    found.feed(page.content.decode().replace("\r\n", "\n"))
    assert found.fields, f"no form #{form}"
    fields = {name: value for name, value in found.fields.items() if value is not None}
    return {**fields, **changed}
