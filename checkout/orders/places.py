"""India's states and union territories, as GST numbers them."""

# The first two digits of a GSTIN, by the state's letters (`localflavor.in_`).
GST_CODES = {
    "JK": "01", "HP": "02", "PB": "03", "CH": "04", "UT": "05", "HR": "06", "DL": "07", "RJ": "08",
    "UP": "09", "BR": "10", "SK": "11", "AR": "12", "NL": "13", "MN": "14", "MZ": "15", "TR": "16",
    "ML": "17", "AS": "18", "WB": "19", "JH": "20", "OR": "21", "CT": "22", "MP": "23", "GJ": "24",
    "DH": "26", "MH": "27", "KA": "29", "GA": "30", "LD": "31", "KL": "32", "TN": "33", "PY": "34",
    "AN": "35", "TG": "36", "AP": "37", "LA": "38",
}  # fmt: skip
# Union territories without a legislature: there the state's share of the tax is called UTGST.
WITHOUT_LEGISLATURE = ("CH", "DH", "LD", "AN", "LA")


def state_of(gstin: str) -> str:
    """The letters of the state in which the holder of a GSTIN is registered."""
    return next(letters for letters, code in GST_CODES.items() if code == gstin[:2])
