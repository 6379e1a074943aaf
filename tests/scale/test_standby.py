"""A primary dies, or says nothing: nothing that was acknowledged is lost, and no caller hangs."""

from collections.abc import Iterator

import pytest

from allo.site import health
from tests.running import state_folder
from tests.scale.standby import FAULTS, Standing, promotion, silence, standing

pytestmark = pytest.mark.race


@pytest.fixture(scope="module")
def shop(django_db_blocker) -> Iterator[Standing]:
    with (
        state_folder() as folder,
        django_db_blocker.unblock(),
        standing(folder, ANSWER_TIMEOUT_MS="500") as made,
    ):
        yield made


def test_a_promoted_standby_has_all_that_was_acknowledged_if_commits_waited_for_it(shop) -> None:
    saw = promotion(shop, successes=40)
    assert saw.acknowledged >= 80
    assert saw.broken == []
    assert saw.findings == []
    # About a second on a machine that does nothing else.
    assert saw.seconds < 30
    # The negative control.
    assert len(saw.broken_in_old_copy) >= 80


@pytest.mark.parametrize("fault", FAULTS)
def test_callers_of_a_silent_primary_are_refused_and_their_retry_finds_the_truth(
    shop, fault
) -> None:
    saw = silence(shop, FAULTS[fault], successes=20, refusals=32)
    assert saw.refused >= 32
    assert (saw.broken, saw.wrong) == ([], 0)
    if fault == "its only standby is away":
        assert saw.unknown > 0
        assert (saw.ready["ready"], saw.ready["warnings"][-1:]) == (True, [health.WAITS])
