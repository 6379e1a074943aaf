"""How the words of a search are matched.

The database splits and folds the words of products (`catalog_index`) and of searches
(`catalog_words`) in the same way, so that both always match. A word finds words that begin with it,
and its singular. A word that no product has is replaced with the nearest one that a product has.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from string import ascii_lowercase, digits
from typing import Any

from django.db import connection

# In characters.
LONGEST = 100
# Further words are ignored: nobody searches for more.
MOST_WORDS = 8
# In shorter words a changed letter usually makes another word; longer ones are compared by trigrams
# only.
FOLDED_LENGTHS = range(4, 21)
# From this trigram similarity on, a word replaces the typed one; from 0.3 to this it is only
# suggested.
TAKEN_FOR = 0.4
SUGGESTED = 3
# Counts stop here: words that this many products have are equally common.
COMMON = 100
# If more products than this match, they are not sorted by how well: each would have to be read.
MOST_RANKED = 5000

# Each word as a tsquery condition, whether a product that may be found has it, and whether more
# products than are ranked have all of them. MATERIALIZED
# makes the planner use the index: it plans for all rows, but reads only as many as needed. With
# LIMIT or EXISTS in the same query it would expect an early hit, and could read the whole table.
# Products are looked up one by one for the same reason: a join would read them all.
READ = """
    WITH typed AS MATERIALIZED (
        SELECT word, place, catalog_term(word) AS term
        FROM unnest(catalog_words(%(q)s)) WITH ORDINALITY AS typed(word, place)
        ORDER BY place LIMIT %(most)s
    )
    SELECT word, term, EXISTS (
        WITH found AS MATERIALIZED (
            SELECT product_id FROM catalog_searchtext WHERE words @@ typed.term::tsquery
        )
        SELECT FROM found WHERE (
            SELECT %(hidden)s OR product.published_at <= statement_timestamp()
            FROM catalog_product AS product WHERE product.id = found.product_id
        )
    ), EXISTS (
        WITH found AS MATERIALIZED (
            SELECT FROM catalog_searchtext
            WHERE words @@ (SELECT string_agg('(' || term || ')', ' & ') FROM typed)::tsquery
        )
        SELECT FROM found OFFSET %(ranked)s
    )
    FROM typed ORDER BY place
"""

# Words of products that are close to the typed ones: one letter off, or similar by trigrams. The
# products that have one are counted up to COMMON.
NEAR = """
    WITH near AS MATERIALIZED (
        SELECT typed, word, catalog_term(word) AS term FROM (
            SELECT typed, word
            FROM unnest(%(typed)s::text[], %(edits)s::text[]) AS edit(typed, word)
            JOIN catalog_searchword USING (word)
            UNION
            SELECT typed, close.word FROM unnest(%(unknown)s::text[]) AS typed, LATERAL (
                SELECT word FROM catalog_searchword WHERE word %% typed
                ORDER BY similarity(word, typed) DESC, word LIMIT 10
            ) AS close
        ) AS words
    )
    SELECT typed, word, term, similarity(typed, word), products
    FROM near, LATERAL (
        WITH found AS MATERIALIZED (
            SELECT product_id FROM catalog_searchtext WHERE words @@ near.term::tsquery
        )
        SELECT count(*) AS products FROM (
            SELECT FROM found WHERE (
                SELECT %(hidden)s OR product.published_at <= statement_timestamp()
                FROM catalog_product AS product WHERE product.id = found.product_id
            )
            LIMIT %(common)s
        ) AS first
    ) AS counted
    WHERE products > 0
"""


@dataclass(frozen=True, slots=True)
class Near:
    """A word of some product, compared with the typed word."""

    typed: str
    word: str
    term: str
    similarity: float
    products: int

    @property
    def is_slip(self) -> bool:
        """Whether it is close enough to replace the typed word: one letter added, dropped, changed
        or swapped with its neighbour, or a high similarity."""
        return self.word in edits(self.typed) or self.similarity >= TAKEN_FOR

    @property
    def distance(self) -> tuple[bool, bool, int, float, str]:
        """The sort key, nearest first: people seldom mistype the first letter or a word's
        length."""
        other_start = self.word[0] != self.typed[0]
        other_length = len(self.word) != len(self.typed)
        return (other_start, other_length, -self.products, -self.similarity, self.word)


@dataclass(frozen=True, slots=True)
class Search:
    """`terms` are tsquery conditions, all of which a product has to meet."""

    terms: tuple[str, ...] = ()
    # The typed words, and the words searched instead.
    instead: dict[str, str] = field(default_factory=dict)
    # Other searches that have results.
    suggestions: tuple[str, ...] = ()
    corrected: str = ""
    # Whether the best match comes first. If too many products match, all have the same rank.
    ranked: bool = True

    def query(self, weights: str = "*") -> str:
        """As a tsquery. `weights` are "*" (anywhere, words that begin so), "*A" (the same, in the
        name), "A" (the whole word in the name), and so on."""
        return " & ".join(f"({term.replace('*', weights)})" for term in self.terms)


def read(q: str, *, hidden: bool = False) -> Search:
    """`hidden` (unpublished) products count only for staff: a suggestion would reveal their
    words."""
    asked: dict[str, Any] = {"q": q, "hidden": hidden, "most": MOST_WORDS, "ranked": MOST_RANKED}
    with connection.cursor() as cursor:
        cursor.execute(READ, asked)
        rows = cursor.fetchall()
    words: list[tuple[str, str, bool]] = [(word, term, known) for word, term, known, _ in rows]
    unknown = [word for word, _, known in words if not known]
    if not unknown:
        terms = tuple(term for _, term, _ in words)
        alone = _each_alone(word for word, _, _ in words)
        return Search(terms, suggestions=alone, ranked=not any(broad for *_, broad in rows))
    meant = _corrected(words, _near(unknown, hidden=hidden))
    if not meant.ranked:  # as far as is known
        return replace(meant, ranked=read(meant.corrected, hidden=hidden).ranked)
    return meant


def edits(word: str) -> set[str]:
    """Every word that is one edit away from this one."""
    if len(word) not in FOLDED_LENGTHS:
        return set()
    letters = {*ascii_lowercase, *digits, *word}
    halves = [(word[:n], word[n:]) for n in range(len(word) + 1)]
    dropped = {a + b[1:] for a, b in halves if b}
    swapped = {a + b[1] + b[0] + b[2:] for a, b in halves if len(b) > 1}
    changed = {a + letter + b[1:] for a, b in halves if b for letter in letters}
    added = {a + letter + b for a, b in halves for letter in letters}
    return dropped | swapped | changed | added


def _near(unknown: list[str], *, hidden: bool) -> dict[str, list[Near]]:
    """For each word the close words, the nearest first."""
    pairs = [(word, edit) for word in unknown for edit in edits(word)]
    asked: dict[str, Any] = {
        "unknown": unknown,
        "typed": [word for word, _ in pairs],
        "edits": [edit for _, edit in pairs],
        "hidden": hidden,
        "common": COMMON,
    }
    with connection.cursor() as cursor:
        cursor.execute(NEAR, asked)
        found = [Near(*row) for row in cursor.fetchall()]
    found.sort(key=lambda near: (not near.is_slip, near.distance))
    return {word: [near for near in found if near.typed == word] for word in unknown}


def _corrected(words: list[tuple[str, str, bool]], near: dict[str, list[Near]]) -> Search:
    slips = {word: found[0] for word, found in near.items() if found and found[0].is_slip}
    terms = tuple(slips[word].term if word in slips else term for word, term, _ in words)
    instead = {word: slip.word for word, slip in slips.items()}
    corrected = " ".join(instead.get(word, word) for word, _, _ in words)
    if len(slips) == len(near):
        alone = _each_alone(instead.get(word, word) for word, _, _ in words)
        is_rare = any(slip.products < COMMON for slip in slips.values())
        return Search(terms, instead, alone, corrected, ranked=is_rare)
    return Search(terms, suggestions=_suggestions(words, near))


def _each_alone(words: Iterable[str]) -> tuple[str, ...]:
    """Each word alone, when all of them together find nothing."""
    each = tuple(dict.fromkeys(words))
    return each[:SUGGESTED] if len(each) > 1 else ()


def _suggestions(
    words: list[tuple[str, str, bool]], near: dict[str, list[Near]]
) -> tuple[str, ...]:
    """Each word as a search of its own: itself if a product has it, else the nearest word."""
    known = [word for word, _, known in words if known]
    others = [close.word for found in near.values() for close in found[:SUGGESTED]]
    return tuple(dict.fromkeys([*known, *others]))[:SUGGESTED]
