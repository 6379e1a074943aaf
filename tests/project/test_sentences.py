"""What Django says, in the shop's words: each sentence is still one of Django's."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from django import forms

from allo.site.sentences import SENTENCES
from tests.staff.forms import sent
from tests.staff.people import signed_in
from tests.stock import stocked

PLACE = re.compile(r"%\(\w+\)[a-z]|\{\w+\}")


def django_says() -> str:
    spec = find_spec("django")
    assert spec
    assert spec.origin
    files = Path(spec.origin).parent.glob("**/locale/en/LC_MESSAGES/django.po")
    return "".join(file.read_text() for file in files).replace('"\n"', "")


def test_each_sentence_is_one_that_django_says() -> None:
    """An update of Django may spell one differently; ours would then be seen no more."""
    found = django_says()
    assert [theirs for theirs in SENTENCES if f'"{theirs}"\n' not in found] == []


def test_ours_have_no_place_that_django_does_not_fill() -> None:
    for theirs, ours in SENTENCES.items():
        assert {*PLACE.findall(ours)} <= {*PLACE.findall(theirs)}, ours


def test_a_form_says_it_in_the_words_of_the_shop() -> None:
    class Form(forms.Form):
        rupees = forms.DecimalField()
        email = forms.EmailField()

    errors = Form({"rupees": "NaN", "email": "x"}).errors
    assert errors["rupees"] == ["This is not a number."]
    assert errors["email"] == ["This is not an e-mail address, such as name@example.com."]


@pytest.mark.django_db
def test_the_admin_says_it_in_the_words_of_the_shop() -> None:
    client = signed_in("Manager")
    category = stocked(3).product.category
    address = f"/admin/catalog/category/{category.pk}/change/"
    wrong = client.post(address, sent(client.get(address), "category_form", name=""))
    assert "Nothing was saved. Please correct what is marked below." in wrong.content.decode()
    right = sent(client.get(address), "category_form", name="Bowls")
    page = client.post(address, right, follow=True).content.decode()
    assert "Bowls</a> was saved." in page
    assert "successfully" not in page
