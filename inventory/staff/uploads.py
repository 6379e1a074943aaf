"""Files of adjustments: the uploaded file until a worker has read it, then its rows. Nothing here
changes stock."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from itertools import islice
from typing import IO
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce, Length, Now

from allo.postgresql import timeouts
from allo.pruning import delete_in_portions
from allo.web.uploads import MOST_BYTES
from inventory import locks
from inventory.adjustments import PORTION
from inventory.files import reading
from inventory.files.records import Record
from inventory.files.tables import Unreadable
from inventory.models import StockImport, StockImportFile, StockImportRow
from inventory.staff.checking import Meaning, checked, meaning_of

State = StockImport.State
logger = logging.getLogger(__name__)

# Files that no worker has read yet: of one person, and the bytes of everybody's.
MOST_UNREAD = 10
MOST_UNREAD_BYTES = 20 * MOST_BYTES
GIVEN_UP = "No worker has read it for a day: upload it again."


class Full(Exception):
    """No more files are taken until workers have read some; the message says so."""


class Overtaken(Exception):
    """Another worker has started over, as this one seemed dead."""


@transaction.atomic
def keep(*, file: IO[bytes], file_name: str, actor: User) -> StockImport:
    """Stores the file for a worker to read. Raises `Full`."""
    content = file.read()
    _refuse_if_full(len(content), actor)
    kept = StockImport.objects.create(
        file_name=file_name[:120], state=State.WAITING, row_count=0, error_count=0, actor=actor
    )
    StockImportFile.objects.create(stock_import=kept, content=content)
    return kept


def _refuse_if_full(size: int, actor: User) -> None:
    # Otherwise two uploads at once would not count each other.
    locks.uploading()
    unread = StockImportFile.objects.aggregate(
        bytes=Coalesce(Sum(Length("content")), 0),
        own=Count("pk", filter=Q(stock_import__actor=actor)),
    )
    if unread["own"] >= MOST_UNREAD:
        raise Full(
            f"{MOST_UNREAD} files of yours have not been read yet. Nothing of this one was kept:"
            " upload it again when some of them have been."
        )
    if unread["bytes"] + size > MOST_UNREAD_BYTES:
        raise Full(
            f"{unread['bytes'] // 2**20} MB of files have not been read yet, and no more than"
            f" {MOST_UNREAD_BYTES // 2**20} MB are kept. Nothing of this one was kept: upload it"
            " again when some of them have been."
        )


def read_waiting() -> int:
    """Reads waiting files, and those whose worker died; returns how many."""
    count = 0
    while kept := _claim():
        _read(kept)
        count += 1
    return count


@transaction.atomic
def _claim() -> StockImport | None:
    # Each worker takes a different file.
    unread = StockImport.objects.unread().select_for_update(skip_locked=True)
    kept = unread.order_by("created_at").first()
    if kept:
        kept.state, kept.claim = State.READING, uuid4()
        StockImport.objects.filter(pk=kept.pk).update(
            state=kept.state, claim=kept.claim, stirred_at=Now(), row_count=0
        )
    return kept


def _read(kept: StockImport) -> None:
    try:
        content = bytes(StockImportFile.objects.get(pk=kept.pk).content)
        remark, records = reading.read(content, lambda rows: _stir(kept, rows))
        _keep_rows(kept, records)
        _finish(kept, State.CHECKED, digest=digest_of(records), remark=remark)
    except Overtaken:
        logger.warning("another worker reads import %s", kept.pk)
    except Unreadable as error:
        _finish(kept, State.REFUSED, trouble=str(error)[:200])
    except (OperationalError, InterfaceError):
        raise  # the file is kept, and read again when the database is back
    except Exception:
        _finish(kept, State.REFUSED, trouble="Something went wrong while it was read.")
        raise


def _stir(kept: StockImport, rows: int) -> None:
    with _own(kept):
        StockImport.objects.filter(pk=kept.pk).update(row_count=rows, stirred_at=Now())


def _keep_rows(kept: StockImport, records: list[Record]) -> None:
    """Stores rows in portions, each a short transaction; they are shown when the import is
    checked."""
    with _own(kept):
        StockImportRow.objects.filter(stock_import=kept).delete()
    rows = checked(records, kept)
    while portion := list(islice(rows, PORTION)):
        with _own(kept):
            StockImportRow.objects.bulk_create(portion)
            StockImport.objects.filter(pk=kept.pk).update(stirred_at=Now())


def _finish(kept: StockImport, state: str, **more: str) -> None:
    """Sets the state after reading, and deletes the file, which is no longer needed."""
    try:
        with _own(kept):
            rows = StockImportRow.objects.filter(stock_import=kept)
            if state == State.REFUSED:
                rows.delete()
            StockImport.objects.filter(pk=kept.pk).update(
                state=state,
                row_count=rows.count(),
                error_count=rows.exclude(error="").count(),
                **more,
            )
            StockImportFile.objects.filter(pk=kept.pk).delete()
    except Overtaken:
        logger.warning("another worker reads import %s", kept.pk)


@contextmanager
def _own(kept: StockImport) -> Iterator[None]:
    """A transaction in which no other worker can take over the import. Raises `Overtaken`."""
    mine = StockImport.objects.filter(pk=kept.pk, claim=kept.claim, state=State.READING)
    with transaction.atomic():
        timeouts.lift()
        # Locked, as a worker that takes over writes its claim into this row.
        if not list(mine.select_for_update(no_key=True).values_list("pk")):
            raise Overtaken
        yield


def digest_of(records: list[Record]) -> str:
    """A hash of the rows' meaning, equal for the same rows in another order or kind of file."""
    rows = [meaning_of(record) for record in records]
    # Earlier versions kept the hash of the rows in the file's order.
    earlier = _hash(rows)
    if StockImport.objects.filter(digest=earlier).exists():
        return earlier
    return _hash(sorted(rows, key=json.dumps))


def _hash(rows: list[Meaning]) -> str:
    return sha256(json.dumps(rows).encode()).hexdigest()


def prune() -> int:
    """Gives up files that no worker has read within a day. Deletes old imports that were not
    applied, and the lines of those that were, whose changes are in the ledger. Returns the number
    of deleted rows."""
    unread = StockImport.objects.filter(state__in=(State.WAITING, State.READING))
    given_up = unread.filter(created_at__lt=Now() - timedelta(days=1))
    StockImportFile.objects.filter(stock_import__in=given_up).delete()
    given_up.update(state=State.REFUSED, trouble=GIVEN_UP)
    applied = StockImport.objects.filter(
        applied_at__lt=Now() - timedelta(days=settings.KEEP_IMPORT_LINES_DAYS)
    )
    lines = delete_in_portions(StockImportRow.objects.filter(stock_import__in=applied))
    return lines + sum(iter(_forget_one, 0))


def _forget_one() -> int:
    """Deletes one import that was not applied; returns the number of rows, 0 if none is left."""
    old = StockImport.objects.exclude(state=State.APPLIED).filter(
        created_at__lt=Now() - timedelta(days=settings.KEEP_IMPORTS_DAYS)
    )
    with transaction.atomic():
        # Locked, so that an import that starts to be applied now is not deleted.
        found = old.select_for_update(skip_locked=True).first()
        return found.delete()[0] if found else 0
