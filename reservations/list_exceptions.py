"""Why the waiting list refuses; as `reservations.exceptions`."""

from reservations.exceptions import ReservationError
from reservations.models import WaitingEntry


class NotWanted(ReservationError):
    """Nobody has to wait: so many units are free, and for everybody."""

    code = "not_wanted"

    def __init__(self) -> None:
        super().__init__("There is some left again, so you need not wait. Reserve it now.")


class RoomFirst(ReservationError):
    """People wait for it in its waiting room: what is free or given back is theirs. No verb raises
    it: it is checked where requests come in."""

    code = "room_first"

    def __init__(self) -> None:
        super().__init__("There is a line for it right now: wait in the waiting room.")


class AlreadyWaiting(ReservationError):
    """The person is on the list with `entry`, or was offered something and has yet to decide."""

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
    """So many are on the list from one network."""

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
    """So many mails to confirm a place went to the address lately."""

    code = "too_many_mails"

    def __init__(self) -> None:
        super().__init__(
            "So many mails went to this address lately that we send no more for now. The link in"
            " each of them works. Try again in an hour."
        )
