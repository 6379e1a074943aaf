"""The documentation and the alerts name what `/metrics` has."""

import re
from typing import Any

import pytest
import yaml
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from allo.metrics.counters import REGISTRY
from allo.site.tables import TABLES
from reservations.models import AuditRun, Sweep
from tests.project.test_documents import named
from tests.running import PROJECT

METRIC = re.compile(r"\b(allo_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(?:=~|!=|=)"([^"]*)"')
GROUPED = re.compile(r"\bby \(([^)]*)\)")
SAMPLES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",), "gauge": ("",)}
# Of the labels that alerts choose by. Views, tasks and books are names in the code.
VALUES = {
    "status": {"2xx", "3xx", "4xx", "5xx"},
    "outcome": {"ok", "error", "busy", "storage", "5xx", "unreachable"},
    "what": {"charges", "refunds", "failed_refunds", "disputed", "wrong"},
    "view": {"admin"},
}


@pytest.fixture
def there(client, db) -> dict[str, tuple[str, set[str]]]:
    """The kind and the labels of each metric, by the name that Prometheus shows."""
    now = timezone.now()
    Sweep.objects.create(started_at=now, finished_at=now, expired=0)
    for books in AuditRun.Books:
        AuditRun.objects.create(books=books, started_at=now, finished_at=now)
    labels = {name: {label} - {""} for name, (_, label) in TABLES.items()}
    counted: list[Any] = list(REGISTRY._collector_to_names)
    labels |= {metric._name: set(metric._labelnames) for metric in counted}
    page = text_string_to_metric_families(client.get("/metrics").content.decode())
    return {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            labels.get(family.name, set()),
        )
        for family in page
    }


def rules() -> list[dict[str, Any]]:
    text = (PROJECT / "allo/deploy/alerts.yml").read_text()
    (group,) = yaml.safe_load(text)["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def test_every_metric_is_documented_with_its_kind_and_its_labels(there) -> None:
    documented = {
        name: (cells[0], set(cells[1].split(", ")) - {"–"})
        for name, cells in named("docs/monitoring.md").items()
        if name.startswith("allo_")
    }
    assert documented == there


def test_every_alert_is_documented_and_says_what_it_found() -> None:
    alerts = [rule["alert"] for rule in rules()]
    documented = [name for name in named("docs/monitoring.md") if name.startswith("Allo")]
    assert alerts == documented
    for rule in rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"].keys() == {"severity"}
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"].endswith(".")
        assert re.fullmatch(r"\d+[mh]", rule.get("for", "1m"))
        assert rule["expr"].count("(") == rule["expr"].count(")")


def test_every_alert_asks_for_metrics_labels_and_values_that_exist(there) -> None:
    samples = {
        name + suffix if kind == "histogram" else name: labels
        for name, (kind, labels) in there.items()
        for suffix in SAMPLES[kind]
    }
    looked_at = 0
    for rule in rules():
        grouped = {label.strip() for found in GROUPED.findall(rule["expr"])
                   for label in found.split(",")} - {"le"}  # fmt: skip
        for name, matchers in METRIC.findall(rule["expr"]):
            assert name in samples, rule["alert"]
            assert grouped <= samples[name], rule["alert"]
            for label, value in MATCHER.findall(matchers):
                assert label in samples[name], rule["alert"]
                assert set(value.split("|")) <= VALUES[label], rule["alert"]
            looked_at += 1
    assert looked_at >= len(rules()) - 1  # `up` is Prometheus's own
