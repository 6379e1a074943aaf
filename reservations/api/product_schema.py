"""A product as other programs see it."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict


class CategoryOut(BaseModel):
    model_config = ConfigDict(title="Category")

    slug: str
    name: str


class Size(BaseModel):
    """The same picture in a smaller width."""

    url: str
    width: int


class Picture(BaseModel):
    """`sizes` are the smaller files of it, the narrowest first; empty until they have been made."""

    url: str
    width: int
    height: int
    alt: str
    sizes: list[Size]


class StockOut(BaseModel):
    """The stock of one warehouse: `available` units can be reserved there now."""

    model_config = ConfigDict(title="Stock")

    warehouse: str
    available: int
    total: int


class ProductOut(BaseModel):
    """A product. If every unit is held, `next_lapse_at` is when the first hold may lapse. One
    customer may hold and have bought `max_per_customer` units together; null is no limit. Nobody
    can hold any before `opens_at`; null is no opening. `colour` is empty if none is set. `pictures`
    are all of it in their order, and `image` is the first of them."""

    model_config = ConfigDict(title="Product")

    slug: str
    name: str
    category: CategoryOut
    tagline: str
    description: str
    material: str
    colour: str
    dimensions_cm: str
    price_paise: int
    currency: Literal["INR"]
    max_per_customer: int | None
    opens_at: datetime | None
    url: str
    image: Picture
    pictures: list[Picture]
    available: int
    next_lapse_at: datetime | None
    stock: list[StockOut]


class ProductPage(BaseModel):
    count: int
    next: str | None
    previous: str | None
    results: list[ProductOut]


PICTURE = {
    "url": "/media/products/tidal.0123456789ab.webp",
    "width": 800,
    "height": 1000,
    "alt": "A tall vase in two blues",
    "sizes": [
        {"url": "/media/products/tidal-200.0123456789ab.webp", "width": 200},
        {"url": "/media/products/tidal-400.0123456789ab.webp", "width": 400},
    ],
}
PRODUCT = {
    "slug": "tidal",
    "name": "Tidal",
    "category": {"slug": "vases", "name": "Vases"},
    "tagline": "A vase with a waterline.",
    "description": "Thrown in one piece, glazed twice.",
    "material": "Stoneware",
    "colour": "blue",
    "dimensions_cm": "14 × 14 × 28",
    "price_paise": 385000,
    "currency": "INR",
    "max_per_customer": None,
    "opens_at": None,
    "url": "/p/tidal/",
    "image": PICTURE,
    "pictures": [PICTURE],
    "available": 5,
    "next_lapse_at": None,
    "stock": [
        {"warehouse": "blr-01", "available": 3, "total": 4},
        {"warehouse": "del-01", "available": 2, "total": 2},
    ],
}
