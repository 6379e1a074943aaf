"""What the database itself does when products change, whoever changes them."""

# mypy: allow-untyped-calls
# pgtrigger types its classes only in part.

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
)
