"""A drop rehearsed under the shop's own rules, on real Valkey and PostgreSQL."""

import re
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from catalog.models import Product
from tests.stock import stocked


@pytest.mark.django_db
def test_a_room_leaves_bots_no_more_than_their_networks_first_places(settings: Any) -> None:
    settings.RESERVATION_MAX_SHARE = 25
    settings.ROOM_PLACES_PER_NETWORK = 1
    row = stocked(20)
    Product.objects.update(max_per_customer=1)
    out = StringIO()
    call_command("simulate_drop", "tidal", shoppers=40, bots=40, networks=4, stdout=out)
    first_come, room = out.getvalue().splitlines()
    assert first_come == ("without a room: bots hold 20 units, shoppers 0: 100% are with bots")
    found = re.fullmatch(r"through a room: bots hold (\d+) units, shoppers (\d+): .*", room)
    assert found
    bots, shoppers = map(int, found.groups())
    assert bots <= 4
    assert bots + shoppers == 20
    row.refresh_from_db()
    assert row.reserved_units == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("slug", "asked", "words"),
    [
        ("nothing", {}, "There is no product nothing."),
        ("tidal", {"bots": 0}, "Shoppers, bots and networks are each at least 1."),
    ],
)
def test_a_rehearsal_of_nothing_is_refused(slug: str, asked: dict[str, int], words: str) -> None:
    stocked(1)
    with pytest.raises(CommandError, match=re.escape(words)):
        call_command("simulate_drop", slug, **asked)
