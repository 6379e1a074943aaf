"""Tax that is included in a price (GST)."""

from collections.abc import Iterable


def included(paise: int, percent: int) -> int:
    """The tax in a price that includes it, in paise, rounded half up."""
    share = 100 + percent
    return (2 * paise * percent + share) // (2 * share)


def percent_of_shipping(percents: Iterable[int]) -> int:
    """The rate of what is charged to send goods of these rates together.

    Sending goods is no supply of its own: it goes with their sale, which is the principal one, and
    bears its rate (sections 8(a) and 15(2)(c) of India's CGST Act). One charge for goods of several
    rates bears the highest: the law divides it in no way, and so the tax in it is never too low.
    """
    return max(percents, default=0)
