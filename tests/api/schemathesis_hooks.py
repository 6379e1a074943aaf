"""What schemathesis may not ask, and why."""

from typing import Any

import schemathesis


@schemathesis.hook
def filter_body(context: Any, body: Any) -> bool:
    """JSON Schema takes 2.0 and 1e2 for integers and cannot say otherwise; the API refuses them,
    as product.md asks, and so they are no example of what is accepted."""
    quantity = body.get("quantity") if isinstance(body, dict) else None
    return not (isinstance(quantity, float) and quantity.is_integer())
