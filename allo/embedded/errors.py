class RunnerError(Exception):
    """Something the person at the terminal has to know, and what they can do about it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint
