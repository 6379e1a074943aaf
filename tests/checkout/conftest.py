import pytest

from checkout.models import Order
from tests.checkout.orders import opened
from tests.reservations.test_verbs import hold
from tests.stock import stocked


@pytest.fixture
def order() -> Order:
    """Open, of two units."""
    return opened(hold(stocked(5), 2))
