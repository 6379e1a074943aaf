"""A primary dies, and its standby takes its place: nothing that was acknowledged is lost."""

import pytest

from tests.running import state_folder
from tests.scale.standby import promotion

pytestmark = pytest.mark.race


def test_a_promoted_standby_has_all_that_was_acknowledged_if_commits_waited_for_it(
    django_db_blocker,
) -> None:
    with state_folder() as folder, django_db_blocker.unblock():
        saw = promotion(folder, successes=40)
    assert saw.acknowledged >= 80
    assert saw.broken == []
    assert saw.findings == []
    # About a second on a machine that does nothing else.
    assert saw.seconds < 30
    # The negative control.
    assert len(saw.broken_in_old_copy) >= 80
