"""Categories and products with names in which words begin with what was typed."""

from typing import NamedTuple
from urllib.parse import urlencode

from django.db import connection
from django.urls import reverse

from catalog import search

# In characters. Too many words begin with one letter.
SHORTEST = 2
MOST, MOST_CATEGORIES = 8, 3
# If more products than this have a word, only so many are read, and the best of them are chosen.
READ = 200

# The products are found by the index of words first, by itself, as in `catalog.search`.
SUGGEST = """
    WITH typed AS MATERIALIZED (
        SELECT string_agg(quote_literal(word) || ':*A', ' & ')::tsquery AS in_name,
            string_agg(quote_literal(word) || ':*', ' & ')::tsquery AS anywhere,
            (array_agg(word ORDER BY place))[1] AS first
        FROM unnest((catalog_words(%(q)s))[:%(words)s]) WITH ORDINALITY AS typed(word, place)
    ), found AS MATERIALIZED (
        SELECT product_id FROM catalog_searchtext
        WHERE words @@ (SELECT in_name FROM typed) LIMIT %(read)s
    ), categories AS (
        SELECT name, slug FROM catalog_category AS category, typed
        WHERE array_to_tsvector(catalog_words(name)) @@ anywhere AND EXISTS (
            SELECT FROM catalog_product WHERE category_id = category.id
            AND published_at <= statement_timestamp()
        )
        ORDER BY position, name LIMIT %(categories)s
    ), products AS (
        SELECT product.name, product.slug, category.name AS its_category
        FROM typed, found JOIN catalog_product AS product ON product.id = product_id
        JOIN catalog_category AS category ON category.id = category_id
        WHERE product.published_at <= statement_timestamp()
        ORDER BY starts_with((catalog_words(product.name))[1], first) DESC, product.position,
            product.id
        LIMIT %(most)s
    )
    SELECT name, slug, NULL FROM categories UNION ALL SELECT * FROM products LIMIT %(most)s
"""


class Suggestion(NamedTuple):
    name: str
    address: str
    # A product's; empty for a category itself.
    category: str


def suggested(q: str) -> list[Suggestion]:
    if len(q.strip()) < SHORTEST:
        return []
    limits = {"read": READ, "most": MOST, "categories": MOST_CATEGORIES}
    with connection.cursor() as cursor:
        cursor.execute(SUGGEST, {"q": q, "words": search.MOST_WORDS, **limits})
        rows: list[tuple[str, str, str | None]] = cursor.fetchall()
    return [Suggestion(name, _address(slug, its), its or "") for name, slug, its in rows]


def _address(slug: str, category: str | None) -> str:
    if category is None:
        return f"{reverse('catalog:grid')}?{urlencode({'category': slug})}"
    return reverse("catalog:product", args=[slug])
