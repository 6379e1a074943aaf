"""Whose a new hold is, and what it counts towards."""

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Holder:
    """The owner of a new hold. Its unpaid units count towards the cap of `network`, unless that is
    "". `cap` is that limit: None is the setting's, 0 is no limit. `others` are further holders who
    are the same person, such as the browser of an account."""

    name: str
    network: str = ""
    cap: int | None = None
    others: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset((self.name, *self.others)) - {""}

    @property
    def most(self) -> int:
        common: int = settings.RESERVATION_MAX_UNITS_PER_ADDRESS
        return common if self.cap is None else self.cap

    @property
    def is_merchant(self) -> bool:
        """Then the cap of its token is its only limit on what is held together."""
        return self.cap is not None

    @property
    def counted(self) -> str:
        """The network whose held units have to be counted; "" if none."""
        shares = settings.RESERVATION_MAX_SHARE and not self.is_merchant
        return self.network if self.most or shares else ""


NOBODY = Holder("")
