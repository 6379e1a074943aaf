"""Webhooks as tests make them, time that passes for them, and workers that die."""

import signal
import subprocess
import sys
from datetime import timedelta
from typing import Any

from django.db.models import F

from allo.outbox.hooks import fanning
from allo.outbox.hooks.catalogue import kinds
from allo.outbox.models import Delivery, Event, Webhook
from tests.running import PROJECT, wait_for
from tests.server import environment_here, nobody_else_works

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def hears(*wanted: str, url: str = "https://hooks.example.org/allo", **more: Any) -> Webhook:
    """A webhook of these kinds of events, or of all."""
    chosen = list(wanted) or [kind.name for kind in kinds()]
    return Webhook.objects.create(name="ERP", url=url, kinds=chosen, secret=SECRET, **more)


def told() -> list[str]:
    """The kinds of all events, the first first."""
    fanning.fan_out()
    return list(Event.objects.order_by("pk").values_list("kind", flat=True))


def last(kind: str) -> dict[str, Any]:
    """The data of the latest event of a kind."""
    fanning.fan_out()
    return dict(Event.objects.filter(kind=kind).latest("pk").data)


def pass_time(**passed: float) -> None:
    """The database's clock stays; the times of what is to be delivered move."""
    ago = timedelta(**passed)
    Webhook.objects.filter(ended_at=None).update(
        claimed_at=F("claimed_at") - ago,
        next_try_at=F("next_try_at") - ago,
        failing_since=F("failing_since") - ago,
        rotated_at=F("rotated_at") - ago,
    )
    Delivery.objects.waiting().update(
        next_try_at=F("next_try_at") - ago, created_at=F("created_at") - ago
    )


def killed(point: str) -> None:
    """Lets a worker deliver, which kills itself there."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.hooks.doomed", point],
        cwd=PROJECT, env={**environment_here(), "WEBHOOK_PRIVATE": "1"},
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    wait_for(nobody_else_works)
