class RunnerError(Exception):
    """An error for the person at the terminal, with a hint on what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint
