"""Files in a bucket of object storage that speaks Amazon's protocol (S3)."""

from typing import Any

from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage

from allo.web.storing import NotStored

# In seconds. boto3's own would keep a thread for five minutes.
CONNECT, ANSWER, TRIES = 2, 10, 2


class Bucket(S3Storage):  # type: ignore[misc]  # it has no types
    def __init__(self, **options: Any) -> None:
        # Only Amazon has a host name for each bucket, and answers with each kind of checksum.
        elsewhere = bool(options.get("endpoint_url"))
        options["client_config"] = Config(
            connect_timeout=CONNECT,
            read_timeout=ANSWER,
            retries={"total_max_attempts": TRIES, "mode": "standard"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if elsewhere else "auto"},
        )
        super().__init__(**options)

    def _save(self, name: str, content: Any) -> str:
        try:
            stored: str = super()._save(name, content)
        except (BotoCoreError, Boto3Error, ClientError) as error:
            raise NotStored(f"{name} was not stored: {error}") from error
        return stored
