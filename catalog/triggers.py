"""Triggers for changes of products, so that plain SQL updates search and slugs too."""

# mypy: allow-untyped-calls
# pgtrigger is only partly typed.

from typing import Any

import pgtrigger


def _keeping_slugs(owner: str) -> tuple[Any, ...]:
    """For a category or a product: its slugs are kept in the transaction of the change, also for
    plain SQL, and deleted with it."""
    kept, its = f"catalog_{owner}slug", f"{owner}_id"
    return (
        pgtrigger.Trigger(
            name="slug_is_kept",
            when=pgtrigger.After,
            operation=pgtrigger.Insert | pgtrigger.UpdateOf("slug"),
            func=f"INSERT INTO {kept} (slug, {its}) SELECT NEW.slug, NEW.id"  # noqa: S608 - constants
            f" WHERE NOT EXISTS (SELECT FROM {kept}"
            f" WHERE slug = NEW.slug AND {its} = NEW.id); RETURN NULL;",
        ),
        pgtrigger.Trigger(
            name=f"slugs_go_with_{owner}",
            when=pgtrigger.After,
            operation=pgtrigger.Delete,
            func=f"DELETE FROM {kept} WHERE {its} = OLD.id; RETURN NULL;",  # noqa: S608 - constants
        ),
    )


def kept_slugs(owner: str) -> tuple[Any, ...]:
    """For the table of slugs: a slug is neither changed nor deleted."""
    return (
        pgtrigger.Protect(name="slug_stays_as_it_was", operation=pgtrigger.Update),
        pgtrigger.Trigger(
            name=f"slug_stays_with_its_{owner}",
            when=pgtrigger.Before,
            operation=pgtrigger.Delete,
            func=f"IF EXISTS (SELECT FROM catalog_{owner} WHERE id = OLD.{owner}_id)"
            f" THEN RAISE EXCEPTION 'pgtrigger: Cannot delete a slug of a {owner}'; END IF;"
            " RETURN OLD;",
        ),
    )


OF_CATEGORY = (
    pgtrigger.Trigger(
        name="category_is_searched",
        when=pgtrigger.After,
        operation=pgtrigger.UpdateOf("name"),
        func="PERFORM catalog_index(ARRAY(SELECT id FROM catalog_product"
        " WHERE category_id = NEW.id ORDER BY id)); RETURN NULL;",
    ),
    *_keeping_slugs("category"),
)

OF_PRODUCT = (
    pgtrigger.Trigger(
        name="new_product_is_searched",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        referencing=pgtrigger.Referencing(new="added"),
        func="PERFORM catalog_index(ARRAY(SELECT id FROM added)); RETURN NULL;",
    ),
    pgtrigger.Trigger(
        name="product_is_searched",
        when=pgtrigger.After,
        operation=pgtrigger.UpdateOf(
            "name", "slug", "category_id", "tagline", "material", "colour", "description"
        ),
        func="PERFORM catalog_index(ARRAY[NEW.id]); RETURN NULL;",
    ),
    pgtrigger.Trigger(
        name="search_text_goes_with_product",
        when=pgtrigger.After,
        operation=pgtrigger.Delete,
        func="DELETE FROM catalog_searchtext WHERE product_id = OLD.id; RETURN NULL;",
    ),
    pgtrigger.Trigger(
        name="opening_has_its_time",
        when=pgtrigger.Before,
        operation=pgtrigger.UpdateOf("opens_at"),
        condition=pgtrigger.Condition("OLD.opens_at IS DISTINCT FROM NEW.opens_at"),
        func="NEW.opening_set_at = clock_timestamp(); RETURN NEW;",
    ),
    *_keeping_slugs("product"),
)
