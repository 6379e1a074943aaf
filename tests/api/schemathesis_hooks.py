"""Hooks that adapt schemathesis's requests to the shop."""

import re
from typing import Any

import schemathesis

SLUG = re.compile(r"[-a-zA-Z0-9_]{1,20}\Z")
HOT = "tidal"


@schemathesis.hook
def filter_body(context: Any, body: Any) -> bool:
    """JSON Schema takes 2.0 and 1e2 for integers and cannot say otherwise; the API refuses them,
    and so they are no example of what is accepted."""
    quantity = body.get("quantity") if isinstance(body, dict) else None
    return not (isinstance(quantity, float) and quantity.is_integer())


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """An invented product only gives a 404, so a valid slug is replaced with an existing one, and a
    valid quantity with one that can be reserved. Invalid values are kept."""
    if not isinstance(body, dict):
        return body
    there = {"product": HOT, "warehouse": "blr-01"}
    proper = {name for name in there if isinstance(body.get(name), str) and SLUG.match(body[name])}
    known = {**body, **{name: there[name] for name in proper}}
    quantity = body.get("quantity")
    if isinstance(quantity, int) and not isinstance(quantity, bool) and 1 <= quantity <= 1_000_000:
        known["quantity"] = quantity % 12 + 1
    return known
