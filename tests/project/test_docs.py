"""The README as a page: whatever is written in it, nothing of it runs."""

import pytest
from django.core.cache import cache

from allo.site.docs import Document, Heading, render


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
    assert "<td>1</td>" in html
    assert 'alt="Grid"' in html
    assert 'width="1200" height="630"' in html
    assert 'src="/static/media/og' in html


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
def test_nothing_in_it_runs(evil) -> None:
    html = render(evil).html
    for danger in ("<script", "<img src=x", 'href="javascript', 'href="data', " onclick=alert(1)>"):
        assert danger not in html


@pytest.mark.django_db
def test_it_is_rendered_once_an_hour(client, monkeypatch) -> None:
    cache.delete("docs")
    rendered: list[str] = []

    def count(text: str) -> Document:
        rendered.append(text)
        return render("# Allo")

    monkeypatch.setattr("allo.site.pages.readme.render", count)
    for _ in range(3):
        assert '<h1 id="allo">Allo</h1>' in client.get("/docs/").content.decode()
    assert len(rendered) == 1
    cache.delete("docs")
