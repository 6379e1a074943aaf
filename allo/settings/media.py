"""Where the shop's pictures are: in a folder, or in a bucket of object storage."""

import re
from importlib.util import find_spec

from django.core.exceptions import ImproperlyConfigured

from allo.settings.environment import HTTPS, STATE_DIR, env

MEDIA_ROOT = STATE_DIR / "media"
# Where browsers find them; by default at the shop.
MEDIA_URL = (env.str("MEDIA_URL", default="") or "media").rstrip("/") + "/"
_absolute = re.fullmatch(r"(https?)://([^/?#\s]+)(/[^?#\s]*)?", MEDIA_URL)
if MEDIA_URL != "media/" and (not _absolute or (HTTPS and _absolute[1] != "https")):
    raise ImproperlyConfigured(
        f'MEDIA_URL is "{MEDIA_URL}"; give an address that browsers reach:'
        f" {'https' if HTTPS else 'http'}://…"
    )
# Empty if it is the shop's.
MEDIA_ORIGIN = f"{_absolute[1]}://{_absolute[2]}" if _absolute else ""

MEDIA_BUCKET = env.str("MEDIA_BUCKET", default="")
# Of a storage other than Amazon's. Whatever else boto3 reads from the environment it reads itself.
MEDIA_ENDPOINT = env.str("MEDIA_ENDPOINT", default="")
if MEDIA_BUCKET and not _absolute:
    raise ImproperlyConfigured("MEDIA_BUCKET needs MEDIA_URL, where browsers find its files.")
if MEDIA_BUCKET and not (find_spec("storages") and find_spec("boto3")):
    raise ImproperlyConfigured(
        "MEDIA_BUCKET needs more packages: pip install --require-hashes -r requirements-s3.txt"
    )

# A picture's name contains a hash of its content, so the same name is the same picture.
_folder = {
    "BACKEND": "allo.web.folder.Folder",
    "OPTIONS": {"allow_overwrite": True},
}
_bucket = {
    "BACKEND": "allo.web.bucket.Bucket",
    "OPTIONS": {
        "bucket_name": MEDIA_BUCKET,
        "endpoint_url": MEDIA_ENDPOINT or None,
        "file_overwrite": True,
        "custom_domain": MEDIA_URL.partition("://")[2].rstrip("/"),
        "url_protocol": f"{_absolute[1] if _absolute else 'https'}:",
        "object_parameters": {"CacheControl": "public, max-age=31536000, immutable"},
    },
}
STORAGES = {
    "default": _bucket if MEDIA_BUCKET else _folder,
    "staticfiles": {"BACKEND": "allo.web.static_files.StaticFiles"},
}
