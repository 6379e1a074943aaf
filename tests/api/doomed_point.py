"""How many units are fatal (`tests.api.doomed`)."""

FATAL = 7
