from hashlib import sha256
from typing import Any

from django.core.files.base import File
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now


def sized(name: str, width: int) -> str:
    """The file name of the picture in this width; it has the hash too."""
    stem, digest, suffix = name.rsplit(".", 2)
    return f"{stem}-{width}.{digest}.{suffix}"


def picture_name(slug: str, content: "File[bytes]", filename: str) -> str:
    """A name with a hash of the content, so that a picture can be cached for ever."""
    digest = sha256()
    for chunk in content.chunks():
        digest.update(chunk)
    return f"products/{slug}.{digest.hexdigest()[:12]}.{filename.rpartition('.')[2]}"


def picture_path(shown: Any, filename: str) -> str:
    """The name of the picture of a product, or of a further one."""
    return picture_name(shown.picture_slug, shown.image, filename)


class Pictured(models.Model):
    """A picture with what a page needs to show it."""

    image = models.ImageField(upload_to=picture_path, width_field="width", height_field="height")
    width = models.PositiveSmallIntegerField(editable=False)
    height = models.PositiveSmallIntegerField(editable=False)
    # The widths that exist besides the picture itself; None until they have been made.
    widths = models.JSONField(null=True, default=None, editable=False)
    alt = models.CharField("alternative text", max_length=200)
    dominant_hex = models.CharField(
        "placeholder colour",
        max_length=7,
        default="#808080",
        validators=[RegexValidator(r"^#[0-9a-f]{6}$")],
    )

    class Meta:
        abstract = True

    @property
    def is_dark(self) -> bool:
        """Whether white words on its main colour are easier to read than black ones. The limit is
        the relative luminance at which both contrasts of WCAG are the same."""
        red, green, blue = ((byte / 255) ** 2.2 for byte in bytes.fromhex(self.dominant_hex[1:]))
        luminance: float = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        return luminance < 0.179

    @property
    def srcset(self) -> str:
        """The `srcset` with every width of the picture; "" if there is only one."""
        files = [*self.sizes, (self.image.url, self.width)] if self.widths else []
        return ", ".join(f"{url} {width}w" for url, width in files)

    @property
    def sizes(self) -> list[tuple[str, int]]:
        """The address and the width of each smaller file."""
        storage, name = self.image.storage, self.image.name or ""
        return [(storage.url(sized(name, width)), width) for width in self.widths or ()]

    def url_at(self, width: int) -> str:
        """The address of the smallest file that is at least this wide; if there is none, of the
        widest."""
        enough = [one for one in self.widths or () if one >= width]
        name = self.image.name or ""
        url: str = self.image.storage.url(sized(name, min(enough)) if enough else name)
        return url


class ProductPicture(Pictured):
    """A further picture of a product, shown after the product's own in the order of `position`."""

    product = models.ForeignKey("catalog.Product", models.CASCADE, related_name="pictures")
    position = models.PositiveSmallIntegerField(default=0, help_text="The lowest comes first.")

    class Meta:
        ordering = ("position", "pk")
        # Staff change them with their product.
        default_permissions = ()
        verbose_name = "further picture"

    def __str__(self) -> str:
        return self.alt

    @property
    def picture_slug(self) -> str:
        return self.product.slug


class ReplacedPicture(models.Model):
    """A picture that no product has any more, whose files are still kept: see
    `catalog.pictures.retire`."""

    name = models.CharField(max_length=100, unique=True)
    widths = models.JSONField(default=list)
    replaced_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
