"""Adjustments from a file: what is accepted, what is refused and why; all rows or none."""

from datetime import timedelta
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pgtrigger
import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from django.utils.html import escape
from kombu.exceptions import OperationalError as BrokerError
from openpyxl import Workbook

from inventory import tasks
from inventory.models import (
    Inventory,
    StockImport,
    StockImportFile,
    StockImportRow,
    StockMovement,
)
from inventory.staff import import_pages, importing, uploads
from tests.reservations.test_verbs import hold
from tests.stock import stocked
from tests.stock_room import write_off

pytestmark = pytest.mark.django_db

UPLOAD = "/admin/inventory/stockimport/upload/"
HEAD = "product,warehouse,change,reason,note\n"
LINE = "tidal,blr-01,3,received,Delivery 12\n"


@pytest.fixture
def client() -> Client:
    user = User.objects.create_user("asha", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="import_stock"))
    client = Client()
    client.force_login(user)
    return client


def upload(client: Client, content: str | bytes, name: str = "count.csv") -> Any:
    data = content.encode() if isinstance(content, str) else content
    answer = client.post(UPLOAD, {"file": SimpleUploadedFile(name, data)}, follow=True)
    if not answer.redirect_chain:
        return answer
    tasks.read_imports()
    return client.get(answer.redirect_chain[-1][0])


def apply(client: Client, **more: Any) -> Any:
    kept = StockImport.objects.latest("created_at")
    return client.post(f"/admin/inventory/stockimport/{kept.pk}/apply/", more, follow=True)


def errors() -> list[tuple[int, str]]:
    kept = StockImport.objects.get()
    assert kept.state == "checked", kept.trouble
    return list(kept.stockimportrow_set.exclude(error="").values_list("line", "error"))


def refused(response: Any) -> str:
    """The reason why a file was refused; nothing else of it is kept."""
    if "form" in response.context:
        assert not StockImport.objects.exists()
        return " ".join(response.context["form"].errors["file"])
    kept = StockImport.objects.get()
    assert (kept.state, StockImportFile.objects.exists(), kept.row_count) == ("refused", False, 0)
    assert escape(kept.trouble) in response.content.decode()
    assert "upload it again" in response.content.decode()
    return kept.trouble


def xlsx(*rows: tuple[Any, ...]) -> bytes:
    book = Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def total(row: Inventory) -> int:
    return Inventory.objects.get(pk=row.pk).total_units


def test_a_file_is_shown_before_it_is_applied(client) -> None:
    row, vase = stocked(5), stocked(4, product="vase")
    page = upload(client, HEAD + LINE + "vase,blr-01,-4,Written off,\n")
    assert [(r.before, r.delta, r.after, r.error) for r in page.context["page"]] == [
        (5, 3, 8, ""),
        (4, -4, 0, ""),
    ]
    assert "Apply 2 changes" in page.content.decode()
    assert (total(row), total(vase)) == (5, 4)
    done = apply(client)
    assert "all 2 rows were changed" in done.content.decode()
    assert (total(row), total(vase)) == (8, 0)
    line = StockMovement.objects.get(reason="received")
    assert (str(line.actor), line.note) == ("asha", "Delivery 12")
    assert line.reference == StockImport.objects.get().pk
    assert StockMovement.objects.get(reason="written_off").note == "count.csv"


def test_a_file_is_applied_once(client) -> None:
    row = stocked(5)
    upload(client, HEAD + LINE)
    for _ in range(2):
        page = apply(client)
    assert "cannot be applied now" in page.content.decode()
    assert "Apply 1 change" not in page.content.decode()
    assert total(row) == 8
    said = LogEntry.objects.filter(change_message__startswith="Apply")
    assert [entry.change_message for entry in said] == ["Apply: 1 rows, applied"]


def test_ten_thousand_rows_with_three_mistakes_change_nothing_and_name_the_three(client) -> None:
    rows = [stocked(5, product=f"vase-{n}") for n in range(2)]
    places = [stocked(5, warehouse=f"w-{n}") for n in range(40)]
    hold(rows[1], 4)
    for n in range(250):
        product = stocked(0, product=f"p-{n}").product
        Inventory.objects.bulk_create(
            [Inventory(product=product, warehouse=place.warehouse) for place in places]
        )
    lines = [f"p-{n},w-{m},7,received,\n" for n in range(250) for m in range(40)]
    lines[17] = "nothing,blr-01,1,received,\n"
    lines[4711] = "vase-0,blr-01,2.5,counted,\n"
    lines[9998] = "vase-1,blr-01,-2,lost,\n"
    page = upload(client, HEAD + "".join(lines))
    assert errors() == [
        (19, "No product has the slug “nothing”."),
        (4713, "The change must be a whole number such as 5 or -5, not “2.5”."),
        (10000, "3 would be left, but 4 are reserved."),
    ]
    assert [row.line for row in page.context["page"]][:4] == [19, 4713, 10000, 2]
    assert "3 of 10000 rows cannot be done" in page.content.decode()
    assert "cannot be applied now" in apply(client).content.decode()
    assert not StockMovement.objects.exclude(reason="opening").exists()
    assert not Inventory.objects.filter(total_units=7).exists()


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("tidal,blr-01,0,received,", "must be a whole number"),
        ("tidal,blr-01,,received,", "must be a whole number"),
        ("tidal,blr-01,1e2,received,", "must be a whole number"),
        ("tidal,blr-01,12345678901,received,", "must be a whole number"),
        ("tidal,blr-01,٣,received,", "must be a whole number"),
        ("tidal,blr-01,=1+2,received,", "is a formula"),
        ("tidal,blr-01,-1,received,", "What is received cannot change stock by -1"),
        ("tidal,blr-01,1,written_off,", "What is written off cannot change stock by +1"),
        ("tidal,blr-01,1,sold,", "The reason must be one of received, written_off, counted"),
        ("tidal,blr-01,1,,", "The reason must be one of"),
        ("tidal,blr-01,-6,lost,", "That is 1 more than there are."),
        ("tidal,blr-01,999999999,received,", "hold at most 1,000,000,000 units"),
        ("tidal,blr-01,1,received," + "x" * 201, "longer than 200"),
        ("tidal,blr-01,1,received,\u3164", "The note has no visible character"),
        ("tidal,del-01,1,received,", "has no place in this warehouse"),
        ("tidal,mum-01,1,received,", "No warehouse has the code “mum-01”"),
        ("=cmd|x,blr-01,1,received,", "No product has the slug"),
        ("ti\0dal,blr-01,1,received,", "No product has the slug"),
        ("tidal", "No warehouse has the code “”"),
    ],
)
def test_each_mistake_is_named_with_its_line(client, line, error) -> None:
    stocked(999_999_999 if "999999999" in line else 5)
    stocked(0, product="vase", warehouse="del-01")
    upload(client, f"{HEAD}\n{line}\n")
    [(number, words)] = errors()
    assert (number, error in words) == (3, True), words


def test_a_row_that_a_file_names_twice_is_a_mistake(client) -> None:
    stocked(5)
    upload(client, HEAD + LINE + LINE)
    assert errors() == [(3, "Line 2 already changes the same row. Combine both in one line.")]


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + HEAD + LINE,
        (HEAD + LINE).replace(",", ";").replace("\n", "\r\n"),
        (HEAD + LINE).replace(",", "\t"),
        "Note,Warehouse,SKU,Reason,Change,Product\nDelivery 12,blr-01,x,RECEIVED,+3,tidal\n",
        'product,warehouse,change,reason,note\ntidal,blr-01,"3",Received," Delivery 12 "\n\n\n',
        xlsx(
            ("product", "warehouse", "change", "reason", "note"),
            (),
            ("tidal", "blr-01", 3.0, "received", "Delivery 12"),
        ),
        xlsx(("product", "warehouse", "change", "reason"), ("tidal", "blr-01", "3", "received")),
    ],
)
def test_files_as_spreadsheets_write_them_are_read(client, content) -> None:
    row = stocked(5)
    upload(client, content)
    assert errors() == []
    apply(client)
    assert total(row) == 8


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("", "empty"),
        (HEAD, "There are no rows in it."),
        ("a,b\n1,2\n", "None of its first 30 lines names these columns: product, warehouse"),
        (HEAD + 'tidal,"blr', "not a CSV file that can be read: line 2: unexpected end of data."),
        (HEAD + LINE * 50_001, "More than 50,000 rows"),
        (b"PK\x03\x04 not a workbook", "not an XLSX file that can be read"),
    ],
)
def test_an_unreadable_file_is_refused_with_the_reason(client, content, error) -> None:
    assert error in refused(upload(client, content))


def test_a_file_that_is_too_large_is_refused(client) -> None:
    assert "More than 10 MB" in refused(upload(client, HEAD + "x" * (10 * 2**20)))


def test_a_workbook_that_unpacks_to_too_much_is_refused(client) -> None:
    file = BytesIO(xlsx(("product", "warehouse", "change", "reason")))
    with ZipFile(file, "a", ZIP_DEFLATED) as workbook:
        workbook.writestr("xl/bomb.xml", b"0" * (65 * 2**20))
    assert "too large" in refused(upload(client, file.getvalue()))


def test_a_formula_in_a_workbook_is_not_a_number(client) -> None:
    stocked(5)
    head = ("product", "warehouse", "change", "reason", "note")
    upload(client, xlsx(head, ("tidal", "blr-01", "=1+2", "received", "")))
    assert errors() == [(2, "The change is a formula. Replace it with its value.")]


def test_markup_in_a_file_is_escaped(client) -> None:
    stocked(5)
    page = upload(client, HEAD + "<img src=x onerror=alert(1)>,blr-01,1,received,<b>\n")
    assert "<img src=x" not in page.content.decode()
    assert "&lt;img src=x" in page.content.decode()


def test_stock_that_changed_since_the_check_is_checked_again(client) -> None:
    row = stocked(5)
    upload(client, HEAD + "tidal,blr-01,-3,lost,\n")
    hold(row, 4)
    page = apply(client)
    assert errors() == [(2, "2 would be left, but 4 are reserved.")]
    assert "Stock has changed since the check" in page.content.decode()
    assert total(row) == 5


def test_a_long_file_is_queued_and_the_page_shows_the_progress(client, monkeypatch) -> None:
    row = stocked(5)
    handed_over: list[Any] = []
    monkeypatch.setattr(import_pages, "APPLIED_AT_ONCE", 0)
    monkeypatch.setattr(
        tasks.apply_import, "apply_async", lambda args, **how: handed_over.append(args)
    )
    upload(client, HEAD + LINE)
    page = apply(client).content.decode()
    assert '<progress class="stock-progress"' in page
    assert "Apply 1 change" not in page
    assert total(row) == 5
    importing.apply(
        kept=StockImport.objects.get(pk=handed_over[0][0]),
        actor=User.objects.get(pk=handed_over[0][1]),
    )
    assert total(row) == 8


def test_without_workers_the_page_says_so(client, monkeypatch) -> None:
    def away(*args: Any, **options: Any) -> None:
        raise BrokerError

    monkeypatch.setattr(import_pages, "APPLIED_AT_ONCE", 0)
    monkeypatch.setattr(tasks.apply_import, "apply_async", away)
    stocked(5)
    upload(client, HEAD + LINE)
    page = apply(client).content.decode()
    assert "The workers cannot be reached. Nothing was changed." in page
    assert "Apply 1 change" in page


def shown(client: Client, kept: StockImport) -> str:
    page: bytes = client.get(f"/admin/inventory/stockimport/{kept.pk}/change/").content
    return page.decode()


def begun_long_ago(client: Client) -> StockImport:
    upload(client, HEAD + LINE)
    kept = StockImport.objects.get()
    assert importing.begin(kept)
    assert not importing.begin(kept), "somebody is at it"
    StockImport.objects.update(stirred_at=Now() - timedelta(seconds=31))
    return kept


def test_an_import_whose_request_died_can_be_applied_again(client) -> None:
    row = stocked(5)
    page = shown(client, begun_long_ago(client))
    assert "The server stopped half way. Nothing was changed" in page
    assert "No worker has begun yet" not in page
    assert 'hx-trigger="every 1s"' not in page
    assert "Apply 1 change" in page
    apply(client)
    assert total(row) == 8


def test_an_import_whose_worker_died_can_be_applied_again(client, monkeypatch) -> None:
    row = stocked(5)
    kept = begun_long_ago(client)
    # It may only be late, and the rows are changed once it comes.
    with monkeypatch.context() as every_file_is_long:
        every_file_is_long.setattr(import_pages, "APPLIED_AT_ONCE", 0)
        page = shown(client, kept)
    assert "No worker has begun yet" in page
    assert "as soon as" not in page, "a task that is lost changes nothing"
    assert "Nothing was changed" not in page
    assert 'hx-trigger="every 1s"' in page
    assert "Apply 1 change" in page
    StockImport.objects.update(done=1)
    page = shown(client, kept)
    assert "The worker stopped half way. Nothing was changed" in page
    assert 'hx-trigger="every 1s"' not in page
    apply(client)
    assert total(row) == 8
    tasks.apply_import(kept.pk, kept.actor_id)  # the worker that was late
    assert total(row) == 8


def test_what_was_applied_shows_the_totals_that_were(client) -> None:
    row = stocked(5)
    upload(client, HEAD + LINE)
    read = StockImportRow.objects.get()
    assert (read.before, read.after) == (5, 8)
    write_off(inventory_id=row.pk, units=2, note="Broken")
    apply(client)
    read.refresh_from_db()
    assert (read.before, read.after, total(row)) == (3, 6, 6)


def test_a_worker_that_comes_too_late_does_not_undo_what_another_applied(client) -> None:
    row = stocked(5)
    upload(client, HEAD + LINE)
    kept = StockImport.objects.get()
    late = list(kept.stockimportrow_set.all())
    apply(client)
    importing._keep_errors(kept, {late[0].pk: "There was too little then."})
    importing.abandon(kept, "Something went wrong then.")
    with importing.reported(kept) as progress:
        progress(1)
    kept.refresh_from_db()
    assert (kept.state, kept.done, kept.error_count, kept.trouble) == ("applied", 0, 0, "")
    assert not kept.stockimportrow_set.exclude(error="").exists()
    assert total(row) == 8


def test_imports_never_applied_are_deleted_in_the_end(client) -> None:
    stocked(5)
    upload(client, HEAD + LINE)
    assert uploads.prune() == 0
    StockImport.objects.update(created_at=F("created_at") - timedelta(days=31))
    assert uploads.prune() == 2
    assert not StockImport.objects.exists()


def test_lines_of_an_import_applied_a_year_ago_are_deleted_and_the_import_is_kept(client) -> None:
    stocked(5)
    upload(client, HEAD + LINE)
    apply(client)
    with pgtrigger.ignore("inventory.StockImport:applied_is_applied"):
        StockImport.objects.update(applied_at=F("applied_at") - timedelta(days=364))
        assert uploads.prune() == 0
        StockImport.objects.update(applied_at=F("applied_at") - timedelta(days=2))
    assert uploads.prune() == 1
    assert not StockImportRow.objects.exists()
    kept = StockImport.objects.get()
    assert client.get(f"/admin/inventory/stockimport/{kept.pk}/change/").status_code == 200


def test_importing_needs_the_permission(client) -> None:
    stocked(5)
    upload(client, HEAD + LINE)
    kept = StockImport.objects.get()
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_stockimport"))
    client.force_login(viewer)
    page = f"/admin/inventory/stockimport/{kept.pk}/"
    assert client.get(UPLOAD).status_code == 403
    assert client.post(f"{page}apply/").status_code == 403
    assert "Apply 1 change" not in client.get(f"{page}change/").content.decode()
    assert Inventory.objects.get().total_units == 5
