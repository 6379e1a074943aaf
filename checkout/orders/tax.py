"""Tax that is included in a price (GST)."""


def included(paise: int, percent: int) -> int:
    """The tax in a price that includes it, in paise, rounded half up."""
    share = 100 + percent
    return (2 * paise * percent + share) // (2 * share)
