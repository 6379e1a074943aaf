from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import state_folder


@pytest.fixture
def state() -> Iterator[Path]:
    with state_folder() as folder:
        yield folder
