"""The values of the filters besides the category, with their names in addresses."""

COLOURS = {
    "white": "White",
    "beige": "Beige",
    "grey": "Grey",
    "black": "Black",
    "brown": "Brown",
    "terracotta": "Terracotta",
    "red": "Red",
    "pink": "Pink",
    "yellow": "Yellow",
    "gold": "Gold",
    "green": "Green",
    "blue": "Blue",
    "clear": "Clear",
    "multicolour": "Multicolour",
}
# The database looks for them in the words of `Product.material`, by `catalog_materials`.
MATERIALS = {
    "wood": "Wood",
    "cane": "Cane and bamboo",
    "ceramic": "Ceramic and stoneware",
    "porcelain": "Porcelain",
    "terracotta": "Terracotta",
    "glass": "Glass",
    "brass": "Brass and copper",
    "steel": "Steel and aluminium",
    "iron": "Iron",
    "stone": "Marble and stone",
    "concrete": "Concrete and terrazzo",
    "paper": "Paper",
    "textile": "Cotton, linen and wool",
    "leather": "Leather",
    "wax": "Wax",
}
# From (included) to (excluded), in paise. In an address a range is written in rupees.
PRICES: dict[str, tuple[str, int, int]] = {
    "-2000": ("Under ₹\N{NO-BREAK SPACE}2,000", 0, 200_000),
    "2000-5000": ("₹\N{NO-BREAK SPACE}2,000 to 5,000", 200_000, 500_000),
    "5000-": ("From ₹\N{NO-BREAK SPACE}5,000", 500_000, 2**31 - 1),
}
