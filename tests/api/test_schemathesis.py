"""Requests that the schema allows get the documented responses, and all others are refused."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.api.http import merchant
from tests.api.schemathesis_hooks import HOT
from tests.running import PROJECT, Shop


def test_schemathesis_finds_nothing_with_all_its_checks(shop: Shop, tmp_path: Path) -> None:
    shop.sql(f"""
        WITH shelf AS (
            UPDATE inventory_inventory i SET total_units = total_units + 100000
            FROM catalog_product p WHERE p.id = i.product_id AND p.slug = '{HOT}' RETURNING i.id
        )
        INSERT INTO inventory_stockmovement (inventory_id, delta, reason, note)
        SELECT id, 100000, 'received', '' FROM shelf
    """)
    token = merchant(shop, "read", "reserve", "confirm", "manage")
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "run", f"{shop.url}/api/openapi.json",
            "--checks", "all", "--max-examples", "4", "--max-time", "120",
            "--generation-deterministic", "--continue-on-failure", "--no-color",
            "--header", f"Authorization: Bearer {token}",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False,
        env={
            **os.environ, "PYTHONPATH": str(PROJECT),
            "SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks",
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    cases = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert cases, done.stdout
    assert cases[1] == cases[2]
    assert int(cases[1]) > 200
