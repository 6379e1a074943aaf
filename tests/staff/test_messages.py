"""Staff see that and when mail was sent, never what it says, and have it tried again."""

import pytest
from django.contrib.admin.models import LogEntry

from allo.outbox import services
from allo.outbox.models import TRIES, Message
from allo.staff import roles
from tests.outbox.letters import put, written
from tests.staff.people import EVERYONE, signed_in

pytestmark = pytest.mark.django_db

LIST = "/admin/outbox/message/"


def test_neither_the_list_nor_a_message_shows_what_it_is_about() -> None:
    message = put("sign-in:secret-key", context={"count": 0, "link": "https://allo.example/secret"})
    viewer = signed_in("Viewer")
    for address in (LIST, f"{LIST}{message.pk}/change/"):
        page = viewer.get(address).content.decode()
        assert "asha@example.org" in page
        assert "secret" not in page


def test_messages_are_found_by_their_state_and_address() -> None:
    for key, tries in (("waits", 0), ("given up", TRIES)):
        Message.objects.filter(pk=written(key, minutes=1).pk).update(tries=tries)
    viewer = signed_in("Viewer")

    def found(**query: str) -> set[str]:
        return {message.key for message in viewer.get(LIST, query).context["cl"].result_list}

    assert found(state="waiting") == {"waits"}
    assert found(state="given up") == {"given up"}
    assert found(state="sent") == set()
    assert found(state="nonsense") == found(q="ASHA@") == {"waits", "given up"}
    assert found(q="ravi") == set()


@pytest.mark.parametrize("role", EVERYONE)
def test_who_may_have_mail_tried_again(role, monkeypatch) -> None:
    monkeypatch.setattr(services, "ask", lambda task: True)
    message = written("k", days=2)
    Message.objects.update(tries=TRIES, error="SMTPRecipientsRefused 550")
    client = signed_in(role)
    may = "outbox.retry_message" in roles.ROLES.get(role, ())
    assert may == (role in {"Support", "Manager"})
    button = "Try those that were given up again" in client.get(LIST).content.decode()
    response = client.post(f"{LIST}retry/")
    message.refresh_from_db()
    recorded = list(LogEntry.objects.values_list("object_repr", "change_message"))
    assert recorded == ([(f"Low stock, message {message.pk}", "Tried again")] if may else [])
    assert (button, response.status_code, message.state) == (
        (True, 303, "waiting") if may else (False, 403, "given up")
    )


def test_reading_the_address_of_the_button_changes_nothing() -> None:
    written("k", days=2)
    Message.objects.update(tries=TRIES)
    assert signed_in("Manager").get(f"{LIST}retry/").status_code == 303
    assert Message.objects.get().state == "given up"
