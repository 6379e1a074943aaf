"""The pages that staff write: in the footer of every page, in Markdown, which runs nothing."""

import pytest
from django.urls import reverse

from allo.site.models import Page
from allo.site.written import faults
from tests.staff.people import signed_in
from tests.staff.test_editing import opened

pytestmark = pytest.mark.django_db


def test_every_page_is_there_and_in_the_footer(client) -> None:
    footer = client.get("/").content.decode().partition("<footer")[2]
    for slug in Page.Slug.values:
        address = reverse(slug)
        assert f'href="{address}"' in footer
        page = client.get(address)
        assert page.status_code == 200
        assert f"<title>{Page.objects.get(slug=slug).title} – Allo</title>" in page.content.decode()
        assert f"{address}</loc>" in client.get("/sitemap.xml").content.decode()


def test_the_seller_is_named_where_it_is_set(client, settings) -> None:
    assert "Who we are" not in client.get("/contact/").content.decode()
    settings.SELLER_NAME, settings.SELLER_ADDRESS = "Allo & Daughters", "1 MG Road, Bengaluru"
    assert (
        "Allo &amp; Daughters<br>1 MG Road, Bengaluru" in client.get("/contact/").content.decode()
    )


def test_html_and_script_in_a_page_are_shown_as_text(client) -> None:
    evil = "# A\n\n<img src=x onerror=alert(1)> [go](javascript:alert(1)) **bold**"
    Page.objects.filter(slug="about").update(title="<b>A</b>", body=evil)
    body = client.get("/about/").content.decode()
    assert "&lt;img src=x onerror=alert(1)&gt;" in body
    assert "<strong>bold</strong>" in body
    assert "<b>A</b>" not in body
    assert 'href="javascript' not in body


@pytest.mark.parametrize(("role", "status"), [("Manager", 302), ("Support", 403)])
def test_managers_write_pages_and_nobody_adds_or_deletes_one(role, status) -> None:
    client = signed_in(role)
    page = Page.objects.get(slug="returns")
    form = opened(client, page) | {"title": "Sending it back"}
    answer = client.post(reverse("admin:site_page_change", args=[page.pk]), form)
    assert answer.status_code == status
    for address in (
        reverse("admin:site_page_add"), reverse("admin:site_page_delete", args=[page.pk])
    ):  # fmt: skip
        assert client.post(address).status_code == 403
    page.refresh_from_db()
    assert (page.title == "Sending it back") == (status == 302)
    assert "14 days" in page.body


@pytest.mark.parametrize(
    "text",
    [
        "![a](https://x.example/a.png)", "![a](//x.example/a.png)", "![a](a.png)", "![a]()",
        "![a](data:image/png;base64,AAAA)", "![a](static/no.webp)", "![a][1]\n\n[1]: http://x/y",
        "| a |\n|-|\n| ![a](https://x.example/a.png) |", "[a](www.example.com)", "[a]()",
        "[a](delivery/)", "[a](whatsapp://send)", "![a](static/icons/favicon.svg)",
        "![a](static/media/hero.mp4)", "![a](static/css)", "![a](static/../../x)",
    ],
)  # fmt: skip
def test_what_a_page_would_not_show_is_refused(text) -> None:
    assert len([*faults(f"# Words\n\nMore words.\n\n{text}")]) == 1


def test_a_picture_that_cannot_be_shown_is_no_error_of_the_page(client) -> None:
    """It may have been one when it was written."""
    Page.objects.filter(slug="about").update(body="# A\n\n![A film](static/media/hero.mp4)")
    page = client.get("/about/")
    assert (page.status_code, 'alt="A film"' in page.content.decode()) == (200, True)


def test_what_a_page_shows_is_saved(settings) -> None:
    settings.MEDIA_ORIGIN = "https://media.example"
    shown = (
        "![a](/media/a.webp) ![a](https://media.example/a.webp) ![a](static/media/shop.webp)"
        f" ![a]({settings.SITE_URL}/media/a.webp) [a](/delivery/) [a](#b) [a](https://b.example)"
        " [a](mailto:a@b.example) [a](tel:+919845012345) [a](docs/api.md) <a@b.example>"
    )
    assert [*faults(shown)] == []
    assert [fault for page in Page.objects.all() for fault in faults(page.body)] == []


def test_staff_are_told_which_picture_would_not_be_seen() -> None:
    client, page = signed_in("Manager"), Page.objects.get(slug="about")
    form = opened(client, page) | {"body": "![Our kiln](https://x.example/kiln.png)"}
    answer = client.post(reverse("admin:site_page_change", args=[page.pk]), form)
    assert "The picture https://x.example/kiln.png would not be seen" in answer.content.decode()
    before = page.body
    page.refresh_from_db()
    assert page.body == before
