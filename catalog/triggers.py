"""Triggers for changes of products, so that plain SQL updates search and slugs too."""

# mypy: allow-untyped-calls
# pgtrigger is only partly typed.

import pgtrigger

OF_CATEGORY = (
    pgtrigger.Trigger(
        name="category_is_searched",
        when=pgtrigger.After,
        operation=pgtrigger.UpdateOf("name"),
        func="PERFORM catalog_index(ARRAY(SELECT id FROM catalog_product"
        " WHERE category_id = NEW.id ORDER BY id)); RETURN NULL;",
    ),
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
            "name", "slug", "category_id", "tagline", "material", "description"
        ),
        func="PERFORM catalog_index(ARRAY[NEW.id]); RETURN NULL;",
    ),
    pgtrigger.Trigger(
        name="search_text_goes_with_product",
        when=pgtrigger.After,
        operation=pgtrigger.Delete,
        func="DELETE FROM catalog_searchtext WHERE product_id = OLD.id; RETURN NULL;",
    ),
    # In the transaction of the change, also for plain SQL.
    pgtrigger.Trigger(
        name="slug_is_kept",
        when=pgtrigger.After,
        operation=pgtrigger.Insert | pgtrigger.UpdateOf("slug"),
        func="INSERT INTO catalog_productslug (slug, product_id) SELECT NEW.slug, NEW.id"
        " WHERE NOT EXISTS (SELECT FROM catalog_productslug"
        " WHERE slug = NEW.slug AND product_id = NEW.id); RETURN NULL;",
    ),
    pgtrigger.Trigger(
        name="slugs_go_with_product",
        when=pgtrigger.After,
        operation=pgtrigger.Delete,
        func="DELETE FROM catalog_productslug WHERE product_id = OLD.id; RETURN NULL;",
    ),
)

OF_SLUG = (
    pgtrigger.Protect(name="slug_stays_as_it_was", operation=pgtrigger.Update),
    pgtrigger.Trigger(
        name="slug_stays_with_its_product",
        when=pgtrigger.Before,
        operation=pgtrigger.Delete,
        func="IF EXISTS (SELECT FROM catalog_product WHERE id = OLD.product_id)"
        " THEN RAISE EXCEPTION 'pgtrigger: Cannot delete a slug of a product'; END IF;"
        " RETURN OLD;",
    ),
)
