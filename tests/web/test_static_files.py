"""Scripts and sheets are served without comments, and have in them what they import."""

import re
from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from allo.web.static_files import StaticFiles

CSS = Path(settings.BASE_DIR) / "static/css"
FONTS = CSS.parent / "fonts"


def test_what_is_served_has_no_comments_and_a_name_of_its_own(tmp_path: Path) -> None:
    storage = StaticFiles(location=tmp_path)
    written = ContentFile(b'// Why.\nif (a) {\n  // And this.\n  go("// stays", - -b);\n}\n')
    assert storage.file_hash("js/a.js", written) != storage.file_hash("css/a.css", written)
    storage.save("js/a.js", written)
    assert (tmp_path / "js/a.js").read_text().rstrip() == 'if(a){go("// stays",- -b);}'


def test_a_script_has_in_it_what_it_imports_each_with_names_of_its_own(tmp_path: Path) -> None:
    storage = StaticFiles(location=tmp_path)
    storage.save("js/a.js", ContentFile(b"const one = 1;\ngo(one);\n"))
    whole = ContentFile(b'// Both.\nimport "./a.js";\nimport "./later.js";\n')
    storage.save("js/whole.js", whole)
    text = (tmp_path / "js/whole.js").read_text()
    assert text.split() == ["{const", "one=1;go(one);}", 'import"./later.js";']


def test_a_sheet_has_in_it_what_it_imports(tmp_path: Path) -> None:
    shop = FileSystemStorage(CSS.parent)
    sheets = (*CSS.glob("*.css"), *CSS.glob("pages/*.css"), *FONTS.glob("*"))
    names = [str(path.relative_to(CSS.parent)) for path in sheets]
    storage = StaticFiles(location=tmp_path)
    for name in names:
        with shop.open(name) as file:
            storage.save(name, file)
    assert not [
        error
        for *_, error in storage.post_process({n: (shop, n) for n in names})
        if error is not True
    ]
    sheet = (tmp_path / storage.stored_name("css/shop.css")).read_text()
    imported = re.findall(r'@import "(.+)"', (CSS / "shop.css").read_text())
    assert {f"pages/{path.name}" for path in CSS.glob("pages/*.css")} < set(imported)
    parts = [(tmp_path / storage.stored_name(f"css/{name}")).read_text() for name in imported]
    assert sorted(parts, key=sheet.index) == parts
    assert not re.search(r"/\*|^\s|\n\s", sheet.lstrip())
    assert "@import" not in sheet
    addresses = re.findall(r'url\("(.+?)"\)', sheet)
    assert len(addresses) == 4
    for address in addresses:
        assert (tmp_path / "css" / address).exists()
