"""The README and `docs/` as pages: nothing that is written in them can run."""

import re

import pytest
from django.core.cache import cache

from allo.site.docs import Document, Heading, read, render
from allo.site.sources import SOURCES, Source


def test_headings_get_anchors_and_make_the_contents() -> None:
    document = render("# Allo\n\n## How it *runs*\n\n### `make up`\n\n## How it runs\n")
    assert document.toc == [
        Heading(2, "how-it-runs", "How it runs"),
        Heading(3, "make-up", "make up"),
        Heading(2, "how-it-runs-", "How it runs"),
    ]
    assert '<h1 id="allo">Allo</h1>' in document.html
    assert '<h2 id="how-it-runs">How it <em>runs</em></h2>' in document.html


def test_code_is_highlighted_in_classes_alone() -> None:
    html = render('```python\nprint("<b>")\n```\n').html
    assert '<span class="nb">print</span>' in html
    assert "&lt;b&gt;" in html
    assert '<pre tabindex="0">' in html
    assert "style=" not in html


def test_code_in_an_unknown_language_is_shown_as_it_is() -> None:
    assert "a &lt; b" in render("```nonsense\na < b\n```\n").html


def test_tables_and_pictures_of_the_repository_are_shown() -> None:
    html = render("| a |\n|---|\n| 1 |\n\n![Grid](static/media/og.jpg)\n").html
    assert '<td data-label="a">1</td>' in html
    assert 'alt="Grid"' in html
    assert 'width="1200" height="630"' in html
    assert 'src="/static/media/og' in html


def test_each_cell_is_labelled_with_the_heading_of_its_own_table() -> None:
    html = render("| a | *b* |\n|---|---|\n| 1 | 2 |\n| 3 | |\n\n| c |\n|---|\n| 4 |\n").html
    assert re.findall(r'<td data-label="(.)">(.?)</td>', html) == [
        ("a", "1"), ("b", "2"), ("a", "3"), ("b", ""), ("c", "4"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>1</script>)",
        '[x](https://example.org "\\" onclick=alert(1)")',
        "```<script>\nx\n```",
    ],
)
def test_markup_in_the_readme_is_escaped(evil) -> None:
    html = render(evil).html
    for danger in ("<script", "<img src=x", 'href="javascript', 'href="data', " onclick=alert(1)>"):
        assert danger not in html


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("docs/settings.md", "/docs/settings/"),
        ("docs/how-it-works.md#the-lock-order", "/docs/how-it-works/#the-lock-order"),
        ("docs/../README.md", "/docs/"),
        ("#two-commands", "#two-commands"),
        ("/api/docs", "/api/docs"),
        ("https://example.org/README.md", "https://example.org/README.md"),
    ],
)
def test_a_link_leads_to_the_page_of_its_document(written, shown) -> None:
    assert f'href="{shown}"' in render(f"[there]({written})").html


def test_links_of_a_document_begin_at_its_folder() -> None:
    html = render("[s](settings.md) [r](../README.md#the-api)", folder="docs").html
    assert 'href="/docs/settings/"' in html
    assert 'href="/docs/#the-api"' in html


def test_a_file_without_a_page_is_named_and_not_linked() -> None:
    html = render("See [the `locks`](../reservations/engine/locks.py) there.", folder="docs").html
    assert html == "<p>See the <code>locks</code> there.</p>\n"


def test_a_drawing_has_its_size_too() -> None:
    html = render("![Batches](../static/media/docs/combining.svg)", folder="docs").html
    assert 'src="/static/media/docs/combining' in html
    assert 'width="460" height="400"' in html


@pytest.mark.django_db
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.path)
def test_every_document_is_a_page_that_leads_to_the_others(client, source: Source) -> None:
    response = client.get(source.url)
    html = response.content.decode()
    assert response.status_code == 200
    assert html.count("<h1") == 1
    for other in SOURCES:
        here = ' aria-current="page"' if other == source else ""
        assert f'<a href="{other.url}"{here or " "}>{other.name}</a>' in html
    for heading in read(source).toc:
        assert f'href="#{heading.id}"' in html
        assert html.count(f' id="{heading.id}"') == 1


@pytest.mark.django_db
def test_a_document_that_is_not_there_is_a_404(client) -> None:
    assert client.get("/docs/nope/").status_code == 404
    assert client.get("/docs/README/").status_code == 404


@pytest.mark.django_db
def test_search_engines_find_every_document(client) -> None:
    sitemap = client.get("/sitemap.xml").content.decode()
    for source in SOURCES:
        assert f"<loc>http://testserver{source.url}</loc>" in sitemap


@pytest.mark.django_db
def test_each_is_rendered_once_an_hour(client, monkeypatch) -> None:
    cache.clear()
    rendered: list[str] = []

    def count(source: Source) -> Document:
        rendered.append(source.path)
        return render(f"# {source.name}")

    monkeypatch.setattr("allo.site.pages.documents.read", count)
    for _ in range(3):
        assert '<h1 id="start">Start</h1>' in client.get("/docs/").content.decode()
        assert '<h1 id="staff">Staff</h1>' in client.get("/docs/staff/").content.decode()
    assert rendered == ["README.md", "docs/staff.md"]
    cache.clear()
