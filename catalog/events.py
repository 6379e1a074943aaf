"""What pages that show a product hear."""

from collections.abc import Iterable

from allo.live import publish

# Of the names and addresses of all categories: each list names them.
CATEGORIES = "categories:all"


def product_topic(product_id: int) -> str:
    return f"product:{product_id}"


def publish_pages(products: Iterable[int]) -> None:
    """What pages say of these products has changed, or whether they have any. Call it after the
    commit."""
    publish(*map(product_topic, products))


def publish_categories() -> None:
    """A category has another name or address. Call it after the commit."""
    publish(CATEGORIES)
