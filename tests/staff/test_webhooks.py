"""Staff make webhooks whose secret they see once, and send again what was delivered."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from allo.outbox.hooks import services
from allo.outbox.hooks.fanning import fan_out
from allo.outbox.models import Delivery, Event, Told, Webhook
from allo.staff import roles
from tests.hooks.hearing import SECRET, hears
from tests.reservations.test_verbs import hold
from tests.staff.forms import sent
from tests.staff.people import EVERYONE, signed_in
from tests.stock import stocked

pytestmark = pytest.mark.django_db

LIST = "/admin/outbox/webhook/"
DELIVERIES = "/admin/outbox/delivery/"
FORM = {"name": "ERP", "url": "https://Hooks.example.org/allo", "kinds": ["stock.low"]}


def filled(client: Client, address: str, **change: object) -> dict[str, Any]:
    """The page's form with what is typed into it."""
    return sent(client.get(address), "webhook_form", **{**FORM, **change})


def test_a_secret_is_shown_once_and_in_no_log() -> None:
    manager = signed_in("Manager")
    made = manager.post(f"{LIST}add/", FORM)
    webhook = Webhook.objects.get()
    assert (webhook.url, webhook.kinds) == ("https://hooks.example.org/allo", ["stock.low"])
    assert webhook.secret.startswith("whsec_")
    assert webhook.created_by
    assert webhook.created_by.username == "manager"
    assert webhook.secret in made.content.decode()
    assert "no-store" in made.headers["Cache-Control"]
    before = webhook.secret
    asked = manager.get(f"{LIST}rotate/?id={webhook.pk}").context["seen"]
    changed = manager.post(f"{LIST}rotate/", {"id": webhook.pk})
    webhook.refresh_from_db()
    assert webhook.secret_before == before
    assert webhook.secret in changed.content.decode()
    again = manager.post(f"{LIST}rotate/", {"id": webhook.pk, "seen": asked}, follow=True)
    assert "was changed already: it stays so." in again.content.decode()
    assert not services.rotate(Webhook(pk=webhook.pk))
    assert Webhook.objects.get().secret == webhook.secret
    for address in (LIST, f"{LIST}{webhook.pk}/change/", f"{LIST}{webhook.pk}/history/"):
        page = manager.get(address)
        assert page.status_code == 200
        assert not [one for one in (before, webhook.secret) if one in page.content.decode()]
    logged = str(list(LogEntry.objects.values_list("object_repr", "change_message")))
    assert "Changed the secret" in logged
    assert "whsec_" not in logged


def test_staff_see_what_could_not_be_read_and_have_it_read_again() -> None:
    hears("stock.low")
    support, viewer = signed_in("Support"), signed_in("Viewer")
    link = "/admin/outbox/event/?q=webhook.unread"
    assert link not in support.get("/admin/").content.decode()
    Told.objects.create(told_by="parcels", events="[]")
    fan_out()
    assert support.get("/admin/").content.decode().count(link) == 1
    event = Event.objects.get()
    assert "parcels" in support.get(f"/admin/outbox/event/{event.pk}/change/").content.decode()
    asked = f"/admin/outbox/event/read/?id={event.pk}"
    assert "KeyError" in support.get(asked).content.decode()
    assert viewer.post(asked).status_code == 403
    assert support.post(asked).status_code == 303
    assert (Told.objects.get().told_by, Event.objects.count()) == ("parcels", 0)
    assert LogEntry.objects.latest("pk").change_message == "Read again"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"url": "https://127.0.0.1/"}, "the name of a public server"),
        ({"url": "http://hooks.example.org/"}, "begins with https://"),
        ({"url": "https://a:b@hooks.example.org/"}, "without a user"),
        ({"url": "https://x.internal/"}, "no name of a local network"),
        ({"kinds": []}, "Choose one or more"),
        ({"kinds": ["webhook.test"]}, "Choose from the list"),
        ({"name": "\u200b"}, "no visible character"),
    ],
)
def test_what_leads_to_no_public_server_or_hears_nothing_is_refused(change, reason) -> None:
    hook = hears()
    manager = signed_in("Manager")
    for address in (f"{LIST}add/", f"{LIST}{hook.pk}/change/"):
        response = manager.post(address, filled(manager, address, **change))
        assert reason in response.content.decode(), address
    assert Webhook.objects.get().url == hook.url


def test_a_webhook_is_tested_paused_resumed_changed_and_ended_each_on_the_record() -> None:
    hook = hears()
    manager = signed_in("Manager")
    for verb, state in (("test", "live"), ("pause", "paused"), ("resume", "live")):
        assert manager.get(f"{LIST}{verb}/?id={hook.pk}").status_code == 200
        assert Webhook.objects.get().state == ("paused" if verb == "resume" else "live")
        manager.post(f"{LIST}{verb}/", {"id": hook.pk})
        assert Webhook.objects.get().state == state
    assert Event.objects.get().kind == "webhook.test"
    page = f"{LIST}{hook.pk}/change/"
    manager.post(page, filled(manager, page, kinds=["stock.low", "offer.made"]))
    hook.refresh_from_db()
    assert (hook.name, hook.kinds) == ("ERP", ["stock.low", "offer.made"])
    manager.post(f"{LIST}end/", {"id": hook.pk})
    hook.refresh_from_db()
    assert (hook.state, hook.secret) == ("ended", "")
    assert Delivery.objects.get().state == "given up"
    assert manager.post(f"{LIST}{hook.pk}/change/", FORM).status_code == 403
    assert manager.post(f"{LIST}resume/", {"id": hook.pk}).status_code == 200
    assert Webhook.objects.get().state == "ended"
    logged = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    done = ["Send a test event", "Pause", "Resume", "End"]
    assert [said for said in logged if said in done] == done


def test_the_front_page_says_what_is_wrong_with_webhooks() -> None:
    viewer = signed_in("Viewer")
    assert "Webhooks</dt>" not in viewer.get("/admin/").content.decode()
    hears()
    hold(stocked(3), 1)
    page = viewer.get("/admin/").content.decode()
    assert "no event is late" in page
    Told.objects.update(created_at=timezone.now() - timedelta(minutes=18))
    page = viewer.get("/admin/").content.decode()
    assert "the oldest event waits for 18" in page
    fan_out()
    Delivery.objects.update(created_at=timezone.now() - timedelta(minutes=16))
    page = viewer.get("/admin/").content.decode()
    assert "the oldest event waits for 16" in page
    Delivery.objects.update(given_up_at=timezone.now())
    Webhook.objects.update(paused_at=timezone.now())
    page = viewer.get("/admin/").content.decode()
    for words in ("webhook/?state=paused", "no event is late", "delivery/?state=given+up"):
        assert words in page


def test_deliveries_are_found_and_each_shows_what_was_sent_and_answered() -> None:
    hook = hears()
    held = hold(stocked(3), 1)
    fan_out()
    Delivery.objects.update(status=500, answer="<script>no", error="", tries=3)
    viewer = signed_in("Viewer")
    delivery = Delivery.objects.get()

    def found(**query: str | int) -> int:
        return len(viewer.get(DELIVERIES, query).context["cl"].result_list)

    assert found(webhook=hook.pk) == found(state="waiting") == found(q=str(held.pk)) == 1
    assert found(webhook=hook.pk + 1) == found(state="delivered") == found(q="x") == 0
    assert found(webhook="x'") == found(state="x") == 1
    page = viewer.get(f"{DELIVERIES}{delivery.pk}/change/").content.decode()
    for shown in (str(held.pk), "500", "&lt;script&gt;no", f"evt_{delivery.event.uid}", "385000"):
        assert shown in page
    assert "<script>no" not in page
    assert "Send again" not in page


@pytest.mark.parametrize("role", EVERYONE)
def test_who_may_send_an_event_again_and_who_may_make_webhooks(role) -> None:
    hook = hears()
    hold(stocked(3), 1)
    fan_out()
    Delivery.objects.update(delivered_at="2026-01-01T00:00Z")
    delivery = Delivery.objects.get()
    client = signed_in(role)
    named = roles.ROLES.get(role, ())
    again = client.post(f"{DELIVERIES}again/", {"id": delivery.pk})
    assert again.status_code == (303 if role in {"Support", "Manager"} else 403)
    assert Delivery.objects.count() == (2 if "outbox.send_again" in named else 1)
    may = role == "Manager"
    assert client.get(f"{LIST}add/").status_code == (200 if may else 403)
    for verb in ("test", "rotate", "pause", "end"):
        response = client.post(f"{LIST}{verb}/", {"id": hook.pk})
        assert response.status_code == (200 if verb == "rotate" else 303) if may else 403
    assert client.post(f"{LIST}{hook.pk}/change/", FORM).status_code == 403
    hook.refresh_from_db()
    assert (hook.state == "ended", hook.secret == SECRET) == (may, not may)


def test_what_waits_or_leads_to_an_ended_webhook_is_not_sent_again() -> None:
    hears()
    hold(stocked(3), 1)
    fan_out()
    manager = signed_in("Manager")
    waits = Delivery.objects.get()
    question = manager.get(f"{DELIVERIES}again/?id={waits.pk}")
    assert "Nothing to send again" in question.content.decode()
    Webhook.objects.update(ended_at="2026-01-01T00:00Z")
    Delivery.objects.update(given_up_at="2026-01-01T00:00Z")
    manager.post(f"{DELIVERIES}again/", {"id": waits.pk})
    assert Delivery.objects.count() == 1


def test_what_left_the_list_since_it_was_ticked_is_named() -> None:
    hook = hears()
    hold(stocked(3), 1)
    fan_out()
    Webhook.objects.update(paused_at=timezone.now())
    delivery, event = Delivery.objects.get(), Event.objects.get()
    manager = signed_in("Manager")
    for address, verb, row, words in (
        (f"{LIST}?state=live", "pause", hook, "ERP is paused"),
        (
            f"{DELIVERIES}?state=delivered", "again", delivery,
            f"Delivery {delivery.pk} is waiting, and its webhook is paused",
        ),
        ("/admin/outbox/event/?q=webhook.unread", "read", event, f"{event} could be read"),
    ):  # fmt: skip
        ticked = {"action": verb, "_selected_action": row.pk}
        page = manager.post(address, ticked, follow=True)
        assert page.status_code == 200, address
        assert page.context["title"].startswith("Nothing to"), address
        assert f"<li>{words}</li>" in page.content.decode(), address
