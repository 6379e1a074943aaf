"""The README's example calls of the API, run as written."""

import os
import re
import shutil
import subprocess

from tests.running import PATIENCE, PROJECT, Shop


def test_the_readmes_example_calls_respond_as_written(shop: Shop) -> None:
    assert shutil.which("curl"), "this test runs the README's examples, which need curl"
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^## The API\n.*?```sh\n(.*?)```", readme, re.DOTALL | re.MULTILINE)
    assert found
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", found[1]],
        env={**os.environ, "SHOP": shop.url}, capture_output=True, text=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = re.findall(
        r'"slug":"tidal"|Replay: true|"status":(?:"\w+"|\d+)|"code":"\w+"', done.stdout
    )
    assert said == [
        '"slug":"tidal"', "Replay: true", '"status":"pending"', '"status":"pending"',
        '"status":"confirmed"', '"status":409', '"code":"not_pending"', '"status":404',
        '"code":"not_found"',
    ]  # fmt: skip
    assert '"renewals":1' in done.stdout
