import pytest
from django.db import connection


@pytest.fixture
def one_connection(monkeypatch) -> None:
    """The end of a request does not close the connection, which is in the test's transaction."""
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: None)
