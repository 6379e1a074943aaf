"""What Django says, in the shop's words: each sentence is still one of Django's."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from django import forms
from django.contrib.auth.models import User
from django.test import Client
from django.utils.html import strip_tags

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


# How Django begins sentences of its own that need a developer to be understood.
DJANGO = re.compile(
    r"Designates|Raw passwords|authentication|algorithm|Required\. |objects|specific"
)


@pytest.mark.django_db
def test_what_it_says_of_a_user_is_for_those_who_work_there(admin_client) -> None:
    boss = User.objects.get()
    users = "/admin/auth/user/"
    pages = [f"{users}add/", f"{users}{boss.pk}/change/", f"{users}{boss.pk}/password/", users]
    pages += [f"{users}{boss.pk}/history/", f"{users}{boss.pk}/delete/", "/admin/auth/group/add/"]
    pages += ["/admin/password_change/", f"{users}?q=nobody"]
    for page in pages:
        words = strip_tags(
            re.sub(r"<(script|style).*?</\1>", "", told(admin_client, page), flags=re.DOTALL)
        )
        assert DJANGO.findall(words) == [], page
    assert "Superuser</label>" in told(admin_client, pages[1])
    wrong = Client().post("/admin/login/", {"username": "admin", "password": "?"}).content.decode()
    assert "This is not the name and the password of a staff account." in wrong


@pytest.mark.django_db
def test_staff_without_the_role_are_told_so() -> None:
    assert (
        "You are signed in as packer"
        in signed_in("Packer").get("/admin/site/page/").content.decode()
    )


def told(client: Client, page: str) -> str:
    return client.get(page).content.decode()


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
