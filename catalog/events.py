"""What pages that show products are told."""

from collections.abc import Iterable

from allo.live import publish

# Tells of the names and addresses of all categories, which every list shows.
CATEGORIES = "categories:all"


def product_topic(product_id: int) -> str:
    return f"product:{product_id}"


def publish_pages(products: Iterable[int]) -> None:
    """Tells the pages of these products that their words have changed, or that a product was
    published or withdrawn. Call it after the commit."""
    publish(*map(product_topic, products))


def publish_categories() -> None:
    """Tells all lists that a category has another name or address. Call it after the commit."""
    publish(CATEGORIES)
