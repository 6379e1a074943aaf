"""A file from the form to its rows: stored, taken by one worker, read, or given up."""

import json
import threading
from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from kombu.exceptions import OperationalError as BrokerError

from inventory import locks, tasks
from inventory.files import reading
from inventory.models import Inventory, StockImport, StockImportFile, StockImportRow
from inventory.staff import importing, uploads
from inventory.staff.importing import AppliedBefore
from tests.inventory.test_import import HEAD, LINE, UPLOAD, apply, client, upload, xlsx
from tests.stock import all_at_once, stocked

__all__ = ["client"]
pytestmark = pytest.mark.django_db


def kept(content: str = HEAD + LINE, name: str = "count.csv") -> StockImport:
    actor, _ = User.objects.get_or_create(username="bo")
    return uploads.keep(file=BytesIO(content.encode()), file_name=name, actor=actor)


def as_it_is(kept: StockImport) -> StockImport:
    return StockImport.objects.with_signs_of_life().get(pk=kept.pk)


def page_of(client: Client, kept: StockImport, **more: Any) -> Any:
    return client.get(
        f"/admin/inventory/stockimport/{kept.pk}/change/", more.pop("data", {}), **more
    )


# --- read by a worker -----------------------------------------------------------------------------


def test_the_web_process_reads_nothing_of_a_file(client, monkeypatch) -> None:
    monkeypatch.setattr(reading, "read", lambda *args: pytest.fail("read in the request"))
    asked: list[object] = []
    monkeypatch.setattr(tasks.read_imports, "apply_async", lambda **how: asked.append(how))
    page = client.post(UPLOAD, {"file": BytesIO((HEAD + LINE).encode())}, follow=True)
    assert StockImport.objects.get().state == "waiting"
    assert len(asked) == 1
    words = page.content.decode()
    assert 'hx-trigger="every 1s"' in words
    assert '<label for="import-progress">Reading the file</label>' in words
    assert ">Look again</a>" in words
    assert "Apply" not in words


@pytest.mark.parametrize(
    ("limit", "of", "words"),
    [
        ("MOST_UNREAD", 2, "2 files of yours have not been read yet."),
        ("MOST_UNREAD_BYTES", 2 * len(HEAD + LINE), "have not been read yet, and no more than"),
    ],
)  # fmt: skip
def test_no_more_files_are_taken_than_workers_get_to_read(
    client, monkeypatch, limit, of, words
) -> None:
    monkeypatch.setattr(uploads, limit, of)
    monkeypatch.setattr(tasks.read_imports, "apply_async", lambda **how: None)
    stocked(5)

    def send() -> Any:
        return client.post(UPLOAD, {"file": BytesIO((HEAD + LINE).encode())})

    assert [send().status_code for _ in range(2)] == [302, 302]
    refused = send()
    assert refused.status_code == 200
    said = refused.context["form"].errors["file"].as_text()
    assert words in said
    assert "Nothing of this one was kept: upload it again when some of them have been." in said
    assert StockImport.objects.count() == StockImportFile.objects.count() == 2
    if limit == "MOST_UNREAD":
        assert kept().state == "waiting", "others upload meanwhile"
    tasks.read_imports()
    assert send().status_code == 302


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("locked", "taken"), [(True, 1), (False, 3)])
def test_uploads_at_once_are_counted_one_after_the_other(monkeypatch, locked, taken) -> None:
    """The second case is the control: without the lock each counts before the others add."""
    User.objects.create_user("bo")
    monkeypatch.setattr(uploads, "MOST_UNREAD", 1)
    if not locked:
        together, refuse = Barrier(3), uploads._refuse_if_full
        monkeypatch.setattr(locks, "uploading", lambda: None)

        def all_have_counted(*of: Any) -> None:
            refuse(*of)
            together.wait(timeout=60)

        monkeypatch.setattr(uploads, "_refuse_if_full", all_have_counted)
    results = all_at_once(3, lambda _: kept())
    assert [isinstance(result, StockImport) for result in results].count(True) == taken
    assert [isinstance(result, uploads.Full) for result in results].count(True) == 3 - taken
    assert StockImportFile.objects.count() == taken


def test_a_file_whose_name_cannot_be_seen_is_refused(client) -> None:
    file = BytesIO((HEAD + LINE).encode())
    file.name = "\u3164"
    refused = client.post(UPLOAD, {"file": file})
    assert "no visible character" in refused.context["form"].errors["file"].as_text()
    assert not StockImport.objects.exists()


def test_the_page_changes_by_itself_once_the_file_is_read(client) -> None:
    stocked(5)
    waiting = kept()
    ask = {"data": {"unread": ""}, "headers": {"HX-Request": "true"}}
    assert "HX-Redirect" not in page_of(client, waiting, **ask).headers
    tasks.read_imports()
    address = f"/admin/inventory/stockimport/{waiting.pk}/change/"
    assert page_of(client, waiting, **ask).headers["HX-Redirect"] == address
    assert "Apply 1 change" in client.get(address).content.decode()
    assert not StockImportFile.objects.exists()


def test_how_many_rows_were_read_is_shown_meanwhile(client, monkeypatch) -> None:
    waiting = kept(HEAD + LINE * 2500)
    seen: list[str] = []
    stir = uploads._stir

    def looked_at(kept: StockImport, rows: int) -> None:
        stir(kept, rows)
        seen.append(page_of(client, kept).content.decode())

    monkeypatch.setattr(uploads, "_stir", looked_at)
    tasks.read_imports()
    assert "Reading the file: 1000 rows so far" in seen[0]
    assert "Reading the file: 2000 rows so far" in seen[1]
    assert as_it_is(waiting).row_count == 2500


def test_without_the_broker_the_page_says_so_and_the_file_is_read_later(
    client, monkeypatch
) -> None:
    stocked(5)

    def away(**how: Any) -> None:
        raise BrokerError

    monkeypatch.setattr(tasks.read_imports, "apply_async", away)
    page = client.post(UPLOAD, {"file": BytesIO((HEAD + LINE).encode())}, follow=True)
    assert "The file is kept and will be read when they are back." in page.content.decode()
    tasks.read_imports()
    assert StockImport.objects.get().state == "checked"


def test_the_page_says_when_no_worker_has_started(client) -> None:
    stocked(5)
    waiting = kept()
    words = "No worker has started on this file yet"
    assert words not in page_of(client, waiting).content.decode()
    StockImport.objects.update(created_at=Now() - timedelta(seconds=11))
    assert words in page_of(client, waiting).content.decode()
    tasks.read_imports()
    assert words not in page_of(client, waiting).content.decode()


def test_a_file_unread_for_a_day_is_given_up_and_deleted(client) -> None:
    waiting = kept()
    assert uploads.prune() == 0
    assert StockImportFile.objects.exists()
    StockImport.objects.update(created_at=F("created_at") - timedelta(hours=25))
    uploads.prune()
    assert as_it_is(waiting).state == "refused"
    assert not StockImportFile.objects.exists()
    page = page_of(client, waiting).content.decode()
    assert "No worker has read it for a day: upload it again." in page


# --- workers that die, or run twice ---------------------------------------------------------------


def die(*args: Any, **more: Any) -> Any:
    raise SystemExit


def test_a_file_whose_worker_died_is_read_by_the_next(monkeypatch) -> None:
    stocked(5)
    waiting = kept()
    with monkeypatch.context() as patch:
        patch.setattr(uploads, "_finish", die)
        with pytest.raises(SystemExit):
            uploads.read_waiting()
    assert StockImportRow.objects.count() == 1, "half of the work was done"
    assert uploads.read_waiting() == 0, "somebody is at it"
    StockImport.objects.update(stirred_at=Now() - timedelta(seconds=91))
    assert as_it_is(waiting).late
    assert uploads.read_waiting() == 1
    read = as_it_is(waiting)
    assert (read.state, read.row_count, read.error_count) == ("checked", 1, 0)


def test_a_worker_that_seemed_dead_changes_nothing(monkeypatch) -> None:
    stocked(5)
    waiting = kept()
    read = reading.read

    def slow(*args: Any) -> Any:
        """It takes so long that another worker has read the file meanwhile."""
        monkeypatch.setattr(reading, "read", read)
        StockImport.objects.update(stirred_at=Now() - timedelta(seconds=91))
        assert uploads.read_waiting() == 1
        StockImportRow.objects.update(note="of the second")
        return read(*args)

    monkeypatch.setattr(reading, "read", slow)
    uploads.read_waiting()
    assert as_it_is(waiting).state == "checked"
    assert StockImportRow.objects.get().note == "of the second"


def test_without_the_database_a_file_is_not_given_up(monkeypatch) -> None:
    waiting = kept()

    def away(*args: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(uploads, "_keep_rows", away)
    with pytest.raises(OperationalError):
        uploads.read_waiting()
    assert as_it_is(waiting).state == "reading"
    assert StockImportFile.objects.exists()


def test_a_bug_while_reading_refuses_the_file_and_is_not_retried(monkeypatch) -> None:
    waiting = kept()
    monkeypatch.setattr(uploads, "digest_of", lambda records: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        uploads.read_waiting()
    read = as_it_is(waiting)
    assert (read.state, read.trouble) == ("refused", "Something went wrong while it was read.")
    assert (read.row_count, read.stockimportrow_set.count()) == (0, 0)
    assert uploads.read_waiting() == 0


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_four_workers_read_each_file_once(monkeypatch) -> None:
    stocked(5)
    for _ in range(4):
        kept()
    begun: list[object] = []
    together = threading.Barrier(4)
    read = uploads._read

    def counted(kept: StockImport) -> None:
        begun.append(kept.pk)
        read(kept)

    def work() -> None:
        together.wait()
        uploads.read_waiting()
        connection.close()

    monkeypatch.setattr(uploads, "_read", counted)
    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(map(str, begun)) == sorted(str(row.pk) for row in StockImport.objects.all())
    assert set(StockImport.objects.values_list("state", flat=True)) == {"checked"}


# --- the same file twice --------------------------------------------------------------------------

SAME = [
    ("once more", HEAD + LINE),
    ("another name for a column's cell", HEAD + LINE.replace("received", "Received")),
    ("with semicolons and a title", "Count;;;;\n" + (HEAD + LINE).replace(",", ";")),
    (
        "as a workbook",
        xlsx(
            ("product", "warehouse", "change", "reason", "note"),
            ("tidal", "blr-01", 3, "received", "Delivery 12"),
        ),
    ),
]


@pytest.mark.parametrize(("how", "content"), SAME)
def test_the_same_rows_are_applied_again_only_after_a_confirmation(client, how, content) -> None:
    row = stocked(5)
    upload(client, HEAD + LINE, "monday.csv")
    assert "applied before" not in apply(client).content.decode()
    first = StockImport.objects.get()
    page = upload(client, content, "tuesday.csv").content.decode()
    assert "The same rows were applied before</strong>: on " in page
    assert f'by asha, from <a href="/admin/inventory/stockimport/{first.pk}/change/">monday' in page
    assert f'name="again" value="{first.pk}" id="import-again" required' in page
    for other in ({}, {"again": "on"}, {"again": "d9428888-122b-11e1-b85c-61cd3cbb3210"}):
        assert "Nothing was changed: see below." in apply(client, **other).content.decode()
    assert Inventory.objects.get(pk=row.pk).total_units == 8
    apply(client, again=first.pk)
    assert Inventory.objects.get(pk=row.pk).total_units == 11


def test_the_same_rows_in_another_order_need_a_confirmation(client) -> None:
    stocked(5), stocked(5, product="reef")
    lines = [LINE, LINE.replace("tidal", "reef")]
    upload(client, HEAD + "".join(lines))
    apply(client)
    page = upload(client, HEAD + "".join(reversed(lines))).content.decode()
    assert "The same rows were applied before</strong>" in page


def test_the_same_rows_as_an_earlier_version_applied_need_a_confirmation(client) -> None:
    """It kept the hash of the rows in the order of the file."""
    stocked(5), stocked(5, product="reef")
    content = HEAD + LINE + LINE.replace("tidal", "reef")
    upload(client, content)
    rows = [[slug, "blr-01", 3, "received", "Delivery 12"] for slug in ("tidal", "reef")]
    StockImport.objects.update(digest=sha256(json.dumps(rows).encode()).hexdigest())
    apply(client)
    page = upload(client, content).content.decode()
    assert "The same rows were applied before</strong>" in page


def test_different_rows_need_no_confirmation(client) -> None:
    stocked(5)
    upload(client, HEAD + LINE)
    apply(client)
    page = upload(client, HEAD + LINE.replace("Delivery 12", "Delivery 13")).content.decode()
    assert "applied before" not in page


def test_a_file_only_checked_does_not_count_as_applied(client) -> None:
    stocked(5)
    upload(client, HEAD + LINE)
    page = upload(client, HEAD + LINE).content.decode()
    assert "Apply 1 change" in page
    assert "applied before" not in page


def test_of_two_imports_started_together_one_needs_a_confirmation() -> None:
    stocked(5)
    first, second = kept(), kept()
    assert uploads.read_waiting() == 2
    assert importing.begin(as_it_is(first))
    with pytest.raises(AppliedBefore):
        importing.begin(as_it_is(second))
    assert importing.begin(as_it_is(second), again=first.pk)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_many_imports_started_together_one_begins() -> None:
    """The control: without the locks of `begin` more than one begins, as none sees the others."""
    stocked(5)
    imports = [kept() for _ in range(6)]
    uploads.read_waiting()
    together, begun = threading.Barrier(6), []

    def work(kept: StockImport) -> None:
        together.wait()
        try:
            begun.append(importing.begin(as_it_is(kept)))
        except AppliedBefore:
            begun.append(False)
        connection.close()

    workers = [threading.Thread(target=work, args=[kept]) for kept in imports]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(begun) == [False] * 5 + [True]
