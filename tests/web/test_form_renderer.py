import pytest
from django import forms
from django.forms.renderers import DjangoTemplates
from django.forms.widgets import Input

from allo.web.form_renderer import INPUTS, Renderer

VALUES = ("", "a \"b\" <c> & 'd'", None, 7, True)
ATTRIBUTES = {"id": "it", "maxlength": 3, "hidden": True, "required": False, "data-x": '"<&'}


class Every(forms.Form):
    """A form with each kind of input; the choices are rendered with and without their labels."""

    choice = forms.ChoiceField(choices=[("a<", "A<"), ("b", "B")], widget=forms.RadioSelect)
    yes = forms.BooleanField()
    text = forms.CharField(max_length=9)


@pytest.mark.parametrize("kind", Input.__subclasses__(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_each_input_is_what_djangos_templates_make(kind: type[Input], value: object) -> None:
    ours, theirs = (
        kind().render("name&", value, ATTRIBUTES, renderer)
        for renderer in (Renderer(), DjangoTemplates())
    )
    assert ours == theirs


@pytest.mark.parametrize("data", [None, {"choice": "a<", "yes": "on", "text": "<"}, {}])
def test_each_field_is_what_djangos_templates_make(data: dict[str, str] | None) -> None:
    ours, theirs = (Every(data, renderer=renderer()) for renderer in (Renderer, DjangoTemplates))
    assert str(ours) == str(theirs)
    for one, other in zip(ours["choice"], theirs["choice"], strict=True):
        assert one.tag() == other.tag()
        assert one.tag(wrap_label=True) == other.tag(wrap_label=True)


def test_an_input_needs_no_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Renderer, "get_template", lambda _, name: pytest.fail(name))
    assert str(Every(renderer=Renderer())["text"]).startswith('<input type="text" name="text"')
    assert "django/forms/widgets/text.html" in INPUTS
