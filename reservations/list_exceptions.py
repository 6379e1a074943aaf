"""Why the waiting list refuses; as `reservations.exceptions`."""

from reservations.exceptions import ReservationError
from reservations.models import WaitingEntry


class NotWanted(ReservationError):
    """So many units are free for everybody, so nobody has to wait."""

    code = "not_wanted"

    def __init__(self) -> None:
        super().__init__("There is some left again, so you need not wait. Reserve it now.")


class RoomFirst(ReservationError):
    """People wait for it in its waiting room: what is free or given back is for them. No verb
    raises this: it is checked before a verb is called."""

    code = "room_first"

    def __init__(self) -> None:
        super().__init__("There is a line for it right now: wait in the waiting room.")


class AlreadyWaiting(ReservationError):
    """The person is on the list with `entry`, or has an offer that is not decided yet."""

    code = "already_waiting"

    def __init__(self, entry: WaitingEntry) -> None:
        super().__init__("You are on the list for it already.")
        self.entry = entry


class ListClosed(ReservationError):
    """Staff closed the list; `reason` is theirs."""

    code = "list_closed"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The waiting list for it is closed: {reason}")
        self.reason = reason


class TooManyEntries(ReservationError):
    """Too many people are on the list from one network."""

    code = "too_many_entries"

    def __init__(self, maximum: int) -> None:
        super().__init__(
            f"{maximum} people wait for it on your network already, the most that can. Join from"
            " another network, or when one of them was served."
        )
        self.maximum = maximum


class NotWaiting(ReservationError):
    """The entry is not on the list any more; `state` says what became of it."""

    code = "not_waiting"

    def __init__(self, state: str) -> None:
        super().__init__("You are not on this list any more.")
        self.state = state


class TooManyMails(ReservationError):
    """Too many mails to confirm an entry were sent to the address lately."""

    code = "too_many_mails"

    def __init__(self) -> None:
        super().__init__(
            "So many mails went to this address lately that we send no more for now. The link in"
            " each of them works. Try again in an hour."
        )
