import pytest
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.template import engines

LINK = "{% load once static %}{% once %}{% static 'a.css' %}{{ name }}{% endonce %} {{ name }}"


def test_what_all_pages_have_alike_is_rendered_once_and_has_no_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = engines["django"].from_string(LINK)
    assert page.render({"name": "Asha"}) == "/static/a.css Asha"
    monkeypatch.setattr(StaticFilesStorage, "url", lambda *_: pytest.fail("rendered again"))
    assert page.render({"name": "Ravi"}) == "/static/a.css Ravi"
