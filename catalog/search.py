"""What the words of a search stand for.

The database splits and folds all words alike, those of products (`catalog_index`) and those that
are searched (`catalog_words`), so that both sides always mean the same. A word finds those that
begin with it, and its singular; one that no product has stands for the nearest that one has.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from string import ascii_lowercase, digits
from typing import Any

from django.db import connection

# What is typed behind these is not looked at: 100 characters are more than a person searches for.
MOST_WORDS = 8
# In shorter words a changed letter makes another word; longer ones are compared by trigrams alone.
FOLDED_LENGTHS = range(4, 21)
# Trigram similarity from which a word is taken for the other; below, it is only suggested (0.3).
TAKEN_FOR = 0.4
SUGGESTED = 3

# Each word as a condition of tsquery, and whether any product that may be found has it. What is
# MATERIALIZED is planned for all its rows, that is by the index, and still read no further than
# needed; in sight of LIMIT or EXISTS the planner would hope to be lucky, and read the whole table.
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
        SELECT FROM found JOIN catalog_product AS product ON product.id = found.product_id
        WHERE %(hidden)s OR product.published_at <= statement_timestamp()
    )
    FROM typed ORDER BY place
"""

# Words of products that are near to those typed: one letter off, or sharing trigrams. How many
# products have one is counted up to 100: enough to tell a usual word from a rare one.
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
            SELECT FROM found JOIN catalog_product AS product ON product.id = found.product_id
            WHERE %(hidden)s OR product.published_at <= statement_timestamp()
            LIMIT 100
        ) AS first
    ) AS counted
    WHERE products > 0
"""


@dataclass(frozen=True, slots=True)
class Near:
    """A word of some product, and how it stands to the one that was typed."""

    typed: str
    word: str
    term: str
    similarity: float
    products: int

    @property
    def is_slip(self) -> bool:
        """One letter added, dropped, changed or swapped with its neighbour; or little of many."""
        return self.word in edits(self.typed) or self.similarity >= TAKEN_FOR

    @property
    def distance(self) -> tuple[bool, bool, int, float, str]:
        """The nearest is the least: people seldom mistype a first letter or a word's length."""
        other_start = self.word[0] != self.typed[0]
        other_length = len(self.word) != len(self.typed)
        return (other_start, other_length, -self.products, -self.similarity, self.word)


@dataclass(frozen=True, slots=True)
class Search:
    """`terms` are conditions of tsquery, all of which a product has to meet."""

    terms: tuple[str, ...] = ()
    # What was typed, and what it was taken for.
    instead: dict[str, str] = field(default_factory=dict)
    # Other searches, which find something.
    suggestions: tuple[str, ...] = ()
    corrected: str = ""

    def query(self, weights: str = "*") -> str:
        """As a tsquery: `weights` are "*" (beginning so, anywhere), "*A" (in the name), "A"…"""
        return " & ".join(f"({term.replace('*', weights)})" for term in self.terms)


def read(q: str, *, hidden: bool = False) -> Search:
    """`hidden` products count only for staff: a suggestion would give their words away."""
    with connection.cursor() as cursor:
        cursor.execute(READ, {"q": q, "hidden": hidden, "most": MOST_WORDS})
        words: list[tuple[str, str, bool]] = cursor.fetchall()
    unknown = [word for word, _, known in words if not known]
    if not unknown:
        terms = tuple(term for _, term, _ in words)
        return Search(terms, suggestions=_each_alone(word for word, _, _ in words))
    return _corrected(words, _near(unknown, hidden=hidden))


def edits(word: str) -> set[str]:
    """Every word that one slip of the finger makes of this one."""
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
    """For each of these the words that come near, the nearest first."""
    pairs = [(word, edit) for word in unknown for edit in edits(word)]
    asked: dict[str, Any] = {
        "unknown": unknown,
        "typed": [word for word, _ in pairs],
        "edits": [edit for _, edit in pairs],
        "hidden": hidden,
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
        return Search(terms, instead, alone, corrected)
    return Search(terms, suggestions=_suggestions(words, near))


def _each_alone(words: Iterable[str]) -> tuple[str, ...]:
    """What each word finds that finds nothing together with the others."""
    each = tuple(dict.fromkeys(words))
    return each[:SUGGESTED] if len(each) > 1 else ()


def _suggestions(
    words: list[tuple[str, str, bool]], near: dict[str, list[Near]]
) -> tuple[str, ...]:
    """Each word that is known, or for one that is not what comes nearest, by itself."""
    known = [word for word, _, known in words if known]
    others = [close.word for found in near.values() for close in found[:SUGGESTED]]
    return tuple(dict.fromkeys([*known, *others]))[:SUGGESTED]
