"""Colour profiles byte by byte: a wide RGB, a linear grey, a print whose cyan shows nothing."""

import struct
from itertools import product

# The columns of Display P3 (and of sRGB, in another order) in the profile connection space.
P3 = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
WHITE = (0.9642, 1.0, 0.82491)


def rgb(columns: tuple[tuple[float, float, float], ...]) -> bytes:
    curve = _curve([_linear(n / 1023) for n in range(1024)])
    tags = {f"{name}XYZ": _xyz(column) for name, column in zip("rgb", columns, strict=True)}
    return _profile("RGB ", "XYZ ", "mntr", {**tags, **{f"{name}TRC": curve for name in "rgb"}})


def linear_grey() -> bytes:
    return _profile("GRAY", "XYZ ", "mntr", {"kTRC": _curve([0.0, 1.0])})


def cmyk_without_cyan() -> bytes:
    """White paper, darkened by each ink but cyan."""
    ramp = bytes(range(256))
    places = product((0, 1), repeat=4)
    lab = b"".join(bytes((0 if m or y or k else 255, 128, 128)) for _c, m, y, k in places)
    one = struct.pack(">9i", *(65536 if n % 4 == 0 else 0 for n in range(9)))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + one + ramp * 4 + lab + ramp * 3
    return _profile("CMYK", "Lab ", "prtr", {"A2B0": table})


def _linear(level: float) -> float:
    return level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4


def _fixed(number: float) -> int:
    return round(number * 65536)


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *map(_fixed, values))


def _curve(levels: list[float]) -> bytes:
    values = [round(level * 65535) for level in levels]
    return b"curv" + bytes(4) + struct.pack(f">I{len(values)}H", len(values), *values)


def _profile(space: str, meeting: str, kind: str, tags: dict[str, bytes]) -> bytes:
    tags = {"wtpt": _xyz(WHITE), **tags}
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name.encode() + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(
        ">I4xI4s4s4s12x4s28x3i48x",
        start + len(body), 0x02400000, kind.encode(), space.encode(), meeting.encode(), b"acsp",
        *map(_fixed, WHITE),
    )  # fmt: skip
    return head + table + body
