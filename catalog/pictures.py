"""Pictures that staff upload: looked at before they are decoded, and never kept as they came.

What is kept is drawn anew as WebP, so that nothing but pixels survives: no metadata (where a
photograph was taken), and nothing that was hidden behind a picture's end.
"""

from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any

from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from PIL import Image, ImageOps, UnidentifiedImageError

from catalog.models import Product, sized

MEGABYTE = 1024 * 1024
MOST_BYTES = 10 * MEGABYTE
MOST_PIXELS = 40_000_000
# SVG is a program, and others have decoders that are seldom looked at.
FORMATS = ("JPEG", "PNG", "WEBP")
LARGEST = 1600
WIDTHS = (400, 800, 1600)
QUALITY = 82


class PictureError(Exception):
    """Why a file is not taken as a picture, in words for who sent it."""


@dataclass(frozen=True, slots=True)
class Picture:
    content: bytes
    dominant_hex: str


def redraw(file: IO[bytes], size: int) -> Picture:
    """The upright picture as WebP, at most `LARGEST` wide. Raises `PictureError`."""
    if size > MOST_BYTES:
        raise PictureError(f"The file is larger than {MOST_BYTES // MEGABYTE} MB.")
    try:
        with Image.open(file, formats=FORMATS) as image:
            _check(image)
            # JPEG can be decoded smaller at once.
            image.draft("RGB", (LARGEST, LARGEST * 4))
            upright = ImageOps.exif_transpose(image)
            picture = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except UnidentifiedImageError:
        raise PictureError("This is not a JPEG, PNG or WebP picture.") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise PictureError("The picture is broken.") from error
    small = _narrowed(picture, LARGEST)
    return Picture(_webp(small), _dominant(small))


def _check(image: Image.Image) -> None:
    """What the header says, before anything is decoded."""
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise PictureError(f"The picture has more than {MOST_PIXELS // 1_000_000} million pixels.")
    if getattr(image, "n_frames", 1) > 1:
        raise PictureError("Moving pictures are not taken.")
    if min(width, height) < 200 or max(width, height) > 5 * min(width, height):
        raise PictureError("The picture is too small, or too narrow: 200 × 200 at the least.")


def make_sizes(product: Product) -> list[int]:
    """Writes the picture in each smaller width, and returns those."""
    storage: Storage = product.image.storage
    made = []
    with storage.open(product.image.name) as file, Image.open(file, formats=FORMATS) as image:
        for width in (width for width in WIDTHS if width < image.width):
            content = ContentFile(_webp(_narrowed(image, width)))
            storage.save(sized(product.image.name, width), content)
            made.append(width)
    return made


def remove(storage: Storage, name: str, widths: list[int]) -> None:
    """A picture that is no longer shown, in all its sizes."""
    for path in (name, *(sized(name, width) for width in widths)):
        with suppress(OSError):
            storage.delete(path)


def _narrowed(image: Image.Image, width: int) -> Image.Image:
    if image.width <= width:
        return image
    height = max(round(image.height * width / image.width), 1)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _webp(image: Image.Image) -> bytes:
    buffer = BytesIO()
    options: dict[str, Any] = {"quality": QUALITY, "method": 4}
    image.save(buffer, "WEBP", exif=b"", icc_profile=b"", xmp=b"", **options)
    return buffer.getvalue()


def _dominant(image: Image.Image) -> str:
    red, green, blue = image.convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))  # type: ignore[misc]
    return f"#{red:02x}{green:02x}{blue:02x}"
