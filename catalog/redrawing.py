"""The program that re-encodes an uploaded picture: see `allo.confined` and `catalog.pictures`.

It writes a line of JSON, with the picture's main colour or the refusal, then the picture.
"""

import json
import sys
from collections.abc import Callable
from io import BytesIO
from typing import IO, Any

from PIL import (
    Image,
    ImageCms,
    JpegImagePlugin,
    PngImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)
from PIL.ExifTags import Base

from allo import confined

__all__ = ["PngImagePlugin", "WebPImagePlugin"]  # loaded before the limits apply

MOST_PIXELS = 40_000_000
LARGEST = 1600
LEAST = 200
QUALITY = 82
JPEG = b"\xff\xd8"
# By EXIF orientation: the transposition that makes the picture upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ON_THE_SIDE = {5, 6, 7, 8}
# The colour space of a profile, and the mode of pictures that it fits.
SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}


class Refused(Exception):
    """Why a file is refused as a picture, in words for the person who uploaded it."""


def redraw(file: IO[bytes]) -> Image.Image:
    """The picture upright, in sRGB, at most `LARGEST` wide. Raises `Refused`."""
    try:
        with _opened(file) as image:
            _check(image)
            return _drawn(image)
    except (Refused, MemoryError):
        raise
    except UnidentifiedImageError:
        raise Refused("This is not a JPEG, PNG or WebP picture.") from None
    except Exception as error:
        raise Refused("The picture is broken.") from error


def _opened(file: IO[bytes]) -> Image.Image:
    # Only these formats: SVG can contain scripts, and decoders of other formats are less well
    # tested.
    head = file.read(2)
    file.seek(0)
    if head == JPEG:
        # As a plain JPEG: phones append depth or HDR data to the picture in the same file.
        return JpegImagePlugin.JpegImageFile(file)
    return Image.open(file, formats=("PNG", "WEBP"))


def _check(image: Image.Image) -> None:
    """Checks the header, before anything is decoded."""
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise Refused(f"The picture has more than {MOST_PIXELS // 1_000_000} million pixels.")
    if getattr(image, "n_frames", 1) > 1:
        raise Refused("Animated images are not accepted.")
    if min(width, height) < LEAST or max(width, height) > 5 * min(width, height):
        raise Refused(
            f"The picture is too small or too narrow: it must be at least {LEAST} × {LEAST}."
        )


def _drawn(image: Image.Image) -> Image.Image:
    """Scales down as early as possible, since every later step needs memory for each pixel."""
    orientation = _orientation(image)
    width, height = image.size
    shrink = (height if orientation in ON_THE_SIDE else width) / LARGEST
    if shrink >= 2:
        # JPEG can be decoded at a smaller size.
        image.draft("RGB", (width // int(shrink), height // int(shrink)))
    profile = image.info.get("icc_profile")
    picture = _plain(image)
    if shrink > 1:
        size = (max(round(width / shrink), 1), max(round(height / shrink), 1))
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    picture = _in_srgb(picture, profile)
    turn = TURNS.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, or 1 if EXIF is missing or broken: the picture itself may be fine."""
    try:
        found: Any = image.getexif().get(Base.Orientation, 1)
    except MemoryError:
        raise
    except Exception:
        return 1
    if isinstance(found, bytes) and len(found) == 1:
        return found[0]
    return found if isinstance(found, int) else 1


def _plain(image: Image.Image) -> Image.Image:
    """The picture with 8 bits per channel and without a palette: RGB, RGBA, L, LA or CMYK."""
    if image.mode.startswith("I"):
        # 16-bit grey: Pillow would clip instead of scale, and turn almost all of it white.
        return image.convert("I").point(_high_byte).convert("L")
    if image.mode == "P" or "transparency" in image.info:
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode in ("RGB", "RGBA", "L", "LA", "CMYK"):
        image.load()
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _high_byte(level: Any) -> Any:
    return level * (1 / 257) + 0


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture in sRGB without a profile, as RGB or RGBA."""
    alpha = picture.getchannel("A") if picture.mode in ("RGBA", "LA") else None
    bare = picture.convert(picture.mode[:-1]) if alpha else picture
    drawn = _by_profile(bare, profile) if profile else None
    drawn = drawn or bare.convert("RGB")
    if alpha:
        drawn.putalpha(alpha)
    return drawn


def _by_profile(picture: Image.Image, profile: bytes) -> Image.Image | None:
    """Applies the profile. None if it is broken or does not fit the mode: browsers ignore it
    then."""
    try:
        given = ImageCms.ImageCmsProfile(BytesIO(profile))
        if SPACES.get(given.profile.xcolor_space) != picture.mode:
            return None
        return ImageCms.profileToProfile(
            picture,
            given,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def webp(image: Image.Image) -> bytes:
    """Encodes only the pixels: no metadata and no profile."""
    buffer = BytesIO()
    options: dict[str, Any] = {"quality": QUALITY, "method": 4}
    image.save(buffer, "WEBP", exif=b"", icc_profile=b"", xmp=b"", **options)
    return buffer.getvalue()


def dominant(image: Image.Image) -> str:
    red, green, blue = image.convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))  # type: ignore[misc]
    return f"#{red:02x}{green:02x}{blue:02x}"


def main(write: Callable[[bytes], object]) -> None:
    with confined.limited():
        try:
            picture = redraw(sys.stdin.buffer)
            content = webp(picture)
            write(json.dumps({"dominant_hex": dominant(picture)}).encode() + b"\n" + content)
        except Refused as error:
            write(json.dumps({"refused": str(error)}).encode() + b"\n")


if __name__ == "__main__":
    main(sys.stdout.buffer.write)
