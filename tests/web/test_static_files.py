"""Scripts are served without comments and spaces, and are the same programs."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.base import ContentFile

from allo.web.static_files import StaticFiles
from tests.scripts import served

SCRIPTS = sorted((Path(settings.BASE_DIR) / "static/js").glob("*.js"))
LITERAL = re.compile(r'"(?:\\.|[^"\\])*"|`[^`]*`|(?<=[\s(,=:!&|?{};[])/(?![\s/])(?:\\.|[^/\\])+/')
# A statement ends with a semicolon, or goes on in the next line.
ENDS = re.compile(r"(?:[;{}(,[:?]|=>|&&|=)$|^[)\]]")
GOES_ON = re.compile(r"^[.?:)\]}&|=]")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_loses_only_what_readers_need(script: Path) -> None:
    """Its comments, and the spaces and lines between its words, none of which ends a statement."""
    written = re.sub(r"^ *//.*\n", "", script.read_text(), flags=re.MULTILINE)
    lines = [line.strip() for line in written.splitlines() if line.strip()]
    assert [line for line in lines if line.count("`") % 2] == []
    assert "/*" not in written
    assert not re.search(r"\$\{[^}`]*`", written), "a template in a template"
    for line, following in pairwise(lines):
        assert ENDS.search(line) or GOES_ON.search(following), line
    text = served(script)
    assert "".join(text.split()) == "".join(written.split())
    assert [literal for literal in LITERAL.findall(written) if literal not in text] == []


def test_what_is_served_has_no_comments_and_a_name_of_its_own(tmp_path: Path) -> None:
    storage = StaticFiles(location=tmp_path)
    written = ContentFile(b'// Why.\nif (a) {\n  // And this.\n  go("// stays", - -b);\n}\n')
    assert storage.file_hash("js/a.js", written) != storage.file_hash("css/a.css", written)
    storage.save("js/a.js", written)
    assert (tmp_path / "js/a.js").read_text() == 'if(a){go("// stays",- -b);}'
