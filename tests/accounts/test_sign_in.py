"""Sign in by a code that was sent by mail."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from allo.accounts.models import Account
from allo.codes.models import EmailCode
from allo.outbox.models import Message
from allo.redis_client import redis_client
from tests.accounts.signing_in import (
    ACCOUNT,
    ASK,
    CODE,
    ask,
    code_in,
    last_code,
    link_in,
    page_of,
    pass_minutes,
    sent,
    signed_in,
    text_of,
    type_code,
    wrong_code,
)
from tests.smtp import mailbox

pytestmark = pytest.mark.django_db

ENDED = f"{ASK}?why=ended"


def is_signed_in(client: Client) -> bool:
    return client.get(ACCOUNT).status_code == 200


def test_the_code_of_the_mail_signs_in_and_makes_the_account(client, settings) -> None:
    with mailbox(settings) as box:
        asked = ask(client, "Asha+shop@Example.ORG")
        assert (asked.status_code, asked.headers["Location"]) == (303, CODE)
        page = client.get(CODE).content.decode()
        assert "Asha+shop@Example.ORG" in page
        assert 'autocomplete="one-time-code"' in page
        assert 'inputmode="numeric"' in page
        assert not Account.objects.exists()
        (mail,) = sent(box)
    assert mail["To"] == "Asha+shop@Example.ORG"
    assert code_in(mail) in page_of(mail)
    done = type_code(client, f"Your code is {code_in(mail)}")
    assert (done.status_code, done.headers["Location"]) == (303, ACCOUNT)
    account = Account.objects.get()
    assert account.email_key == "asha+shop@example.org"
    assert not account.user.has_usable_password()
    assert (account.user.is_staff, account.user.email) == (False, "Asha+shop@Example.ORG")
    assert "Asha+shop@Example.ORG" in client.get(ACCOUNT).content.decode()
    assert ">Account</a>" in client.get("/").content.decode()
    # All spellings are one account, which keeps the address as it was typed first.
    assert is_signed_in(signed_in("ASHA+SHOP@example.org"))
    assert User.objects.get() == account.user
    assert is_signed_in(signed_in("asha@example.org"))
    assert Account.objects.count() == 2


def test_the_link_signs_in_the_browser_that_asked_and_leads_on(client, settings) -> None:
    with mailbox(settings) as box:
        ask(client, next="/orders/?x=1")
        (mail,) = sent(box)
    link = link_in(mail)
    assert link in page_of(mail).replace("&amp;", "&")
    elsewhere = Client()
    assert elsewhere.get(link).headers["Location"] == ENDED
    assert elsewhere.head(link).status_code == client.head(link).status_code == 405
    assert not is_signed_in(elsewhere)
    assert client.get(link[:-1]).headers["Location"] == ENDED
    assert client.get(f"{ACCOUNT}sign-in/link/").headers["Location"] == ENDED
    followed = client.get(link)
    assert (followed.status_code, followed.headers["Location"]) == (303, "/orders/?x=1")
    assert followed.headers["Referrer-Policy"] == "same-origin"
    assert "no-store" in followed.headers["Cache-Control"]
    assert is_signed_in(client)
    # Once more, as a mail program's preview and a reader's click do.
    assert client.get(link).headers["Location"] == ACCOUNT
    client.post("/account/sign-out/")
    assert client.get(link).headers["Location"] == ENDED


def test_after_five_wrong_tries_the_right_code_is_of_no_use(client) -> None:
    ask(client)
    lefts = []
    for _ in range(4):
        page = type_code(client, wrong_code())
        assert page.status_code == 422
        lefts.append(page.context["form"].errors["code"][0])
    assert [re.search(r"\d", left)[0] for left in lefts] == ["4", "3", "2", "1"]  # type: ignore[index]
    assert lefts[-1].endswith("You can try 1 more time.")
    assert type_code(client, wrong_code()).headers["Location"] == ENDED
    assert type_code(client, last_code()).headers["Location"] == ENDED
    assert "There is no code that works" in client.get(ENDED).content.decode()
    assert not Account.objects.exists()
    assert EmailCode.objects.get().tries == 5


@pytest.mark.parametrize(("minutes", "works"), [(9, True), (10.1, False)])
def test_a_code_works_for_ten_minutes(client, minutes, works) -> None:
    ask(client)
    pass_minutes(minutes)
    type_code(client, last_code())
    assert is_signed_in(client) is works


def test_a_code_works_once_and_only_in_the_browser_that_asked(client) -> None:
    ask(client)
    thief = Client()
    assert type_code(thief, last_code()).headers["Location"] == ENDED
    # Also for a browser that asked for a code of its own.
    code = last_code()
    ask(thief, "ravi@example.org")
    assert type_code(thief, code).status_code == 422
    assert not is_signed_in(thief)
    cookie = client.cookies["allo_code"].value
    assert type_code(client, code).headers["Location"] == ACCOUNT
    again = Client()
    again.cookies["allo_code"] = cookie
    assert type_code(again, code).headers["Location"] == ENDED


def test_only_the_newest_code_works_and_asking_anew_costs_no_try(client) -> None:
    ask(client)
    first = last_code()
    ask(client)
    assert type_code(client, first).status_code == 422
    assert type_code(client, last_code()).status_code == 303


def normalised(text: str) -> str:
    """Without what is another's in each answer: tokens, codes, keys, addresses."""
    text = re.sub(r"[\w.+-]+@(<wbr>)?[\w.-]+", "ADDRESS", text)
    text = re.sub(r'value="([\w-]{60,}|\d{6})"|data-now="[^"]*"|key=\S+|\b\d{3} \d{3}\b', "", text)
    return re.sub(r'data-live="[^"]*"', "", text)


def seen_by_who_asks(email: str, settings: Any) -> tuple[list[Any], str]:
    """What a browser sees from asking to five wrong tries, with the queries; and the mail."""
    client = Client()
    client.get(ASK)
    seen: list[Any] = []

    def see(send: Any, *args: Any) -> None:
        with CaptureQueriesContext(connection) as made:
            response = send(*args)
        queries = [re.sub(r"'[^']*'|\d+", "?", query["sql"]) for query in made]
        body = normalised(response.content.decode())
        headers = sorted(response.headers), response.headers.get("Location")
        seen.append((response.status_code, headers, body, queries))

    with mailbox(settings) as box:
        see(ask, client, email)
        see(client.get, CODE)
        see(type_code, client, "nonsense")
        for _ in range(5):
            see(type_code, client, wrong_code())
        mail = sent(box)[-1]
    return seen, normalised(f"{mail['Subject']}\n{text_of(mail)}")


def test_known_and_unknown_addresses_see_queries_pages_and_mail_alike(
    settings, monkeypatch
) -> None:
    signed_in("known@example.org")
    User.objects.create_user("closed", email="closed@example.org", is_active=False)
    User.objects.create_user("staff", email="staff@example.org", is_staff=True)

    def no_hash(*_: object) -> str:
        raise AssertionError("a password was hashed")

    monkeypatch.setattr("django.contrib.auth.hashers.MD5PasswordHasher.encode", no_hash)
    unknown, mail = seen_by_who_asks("unknown@example.org", settings)
    assert unknown[0][:2] == (303, unknown[0][1])
    for name in ("known", "closed", "staff"):
        seen, its_mail = seen_by_who_asks(f"{name}@example.org", settings)
        assert seen == unknown, name
        assert (its_mail == mail) is (name != "staff")


def test_staff_are_sent_to_their_own_sign_in_by_the_mail_and_no_code_lets_them_in(
    client, settings
) -> None:
    boss = User.objects.create_user("boss", email="Boss@example.org", is_staff=True)
    with mailbox(settings) as box:
        ask(client, "boss@EXAMPLE.org")
        (mail,) = sent(box)
    for text in (text_of(mail), page_of(mail)):
        assert "/admin/login/" in text
        assert "belongs to one of the staff" in text
        assert not re.search(rf"\b{last_code()[:3]} ?{last_code()[3:]}\b", text)
        assert "key=" not in text
    # Not even one that was guessed.
    assert type_code(client, last_code()).headers["Location"] == f"{ASK}?why=closed"
    assert not is_signed_in(client)
    assert not Account.objects.exists()
    boss.refresh_from_db()
    assert boss.last_login is None


@pytest.mark.parametrize(
    "change", [{"is_active": False}, {"is_staff": True}, {"is_superuser": True}]
)
def test_an_account_that_is_closed_or_made_staff_is_signed_out_and_stays_out(change) -> None:
    client = signed_in()
    assert is_signed_in(client)
    User.objects.update(**change)
    assert not is_signed_in(client)
    assert client.get("/admin/").status_code == 302
    ask(again := Client())
    assert type_code(again, last_code()).headers["Location"] == f"{ASK}?why=closed"


def test_the_session_has_a_new_key_and_what_it_had_before_is_not_anothers() -> None:
    client = Client()
    client.get("/")
    session = client.session
    session["orders_opened"] = ["mine"]
    session.save()
    planted = str(session.session_key)
    signed_in("asha@example.org", client)
    assert client.session.session_key != planted
    assert client.session["orders_opened"] == ["mine"]
    thief = Client()
    thief.cookies["sessionid"] = planted
    assert not is_signed_in(thief)
    # The same account once more, from a link that was followed while signed in.
    before = client.session.session_key
    client.cookies.pop("allo_code", None)
    assert client.get(ASK).headers["Location"] == ACCOUNT
    client.post("/account/sign-out/")
    signed_in("ravi@example.org", client)
    assert client.session.session_key != before
    assert "orders_opened" not in client.session


@pytest.mark.parametrize(
    ("typed", "there"),
    [
        ("/orders/", "/orders/"), ("/account/sessions/", "/account/sessions/"),
        ("/?q=vase&sort=name", "/?q=vase&sort=name"), ("", ACCOUNT), ("orders/", ACCOUNT),
        ("//evil.example/", ACCOUNT), ("https://evil.example/", ACCOUNT),
        ("/\\evil.example", ACCOUNT), ("/%09/evil.example", ACCOUNT),
        ("javascript:alert(1)", ACCOUNT),
        ("/nope/", ACCOUNT), ("/admin/", ACCOUNT), ("/account/sign-out/", ACCOUNT),
        ("/orders/\r\nSet-Cookie: x=1", ACCOUNT), ("/orders/\0", ACCOUNT),
        ("/orders/?x=\0", ACCOUNT), ("/orders/#\0", ACCOUNT),
        ("/" + "a" * 600, ACCOUNT),
    ],
)  # fmt: skip
def test_next_leads_only_to_pages_of_the_shop(client, typed, there) -> None:
    page = client.get(ASK, {"next": typed})
    assert page.context["next"] == (there if there != ACCOUNT else "")
    assert ask(client, next=typed).status_code == 303
    assert type_code(client, last_code()).headers["Location"] == there
    # One who is signed in already is there at once.
    assert client.get(ASK, {"next": typed}).headers["Location"] == there


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        (" asha@example.org ", "asha@example.org"),
        ("asha+shop@example.org", "asha+shop@example.org"),
        ("O'Neil_%@sub.example.org", "O'Neil_%@sub.example.org"),
        ("asha@bücher.example", "asha@bücher.example"),
        ("as\u200bha@exam\u00adple.org\u2060", "asha@example.org"),
        ("asha@उदाहरण.परीक्षा", "asha@उदाहरण.परीक्षा"),
    ],
)
def test_addresses_of_all_kinds_get_their_mail(client, settings, typed, stored) -> None:
    with mailbox(settings) as box:
        assert ask(client, typed).headers["Location"] == CODE
        sent(box)
    _, _, domain = stored.partition("@")
    assert box.recipients == [stored.replace(domain, domain.encode("idna").decode())]
    assert EmailCode.objects.get().email == stored


@pytest.mark.parametrize(
    "typed",
    [
        "", "asha", "asha@", "@example.org", "asha@example", "asha@@example.org",
        "asha@example.org, ravi@example.org", "asha@example.org\r\nBcc: ravi@example.org",
        "asha@example.org\nravi@example.org", "Asha <asha@example.org>", '"a b"@example.org',
        "as ha@example.org", "äsha@example.org", "asha@exa mple.org", "a" * 290 + "@e.org",
        f"asha@{'a' * 64}.org", f"{'a' * 65}@example.org", "asha@example.org\0", "asha@[127.0.0.1]",
        "asha@\u202eexample.org/",
    ],
)  # fmt: skip
def test_other_addresses_are_refused_in_plain_words_and_nothing_is_stored(client, typed) -> None:
    page = ask(client, typed)
    assert page.status_code == 422
    assert page.context["form"].errors["email"]
    assert not EmailCode.objects.exists()
    assert not Message.objects.exists()


def test_asking_and_typing_cost_no_more_queries_than_a_page(client) -> None:
    """A page of a shopper with an account: session, user, and its own four."""

    def queries(send: Any, *args: Any) -> int:
        with CaptureQueriesContext(connection) as made:
            send(*args)
        statements = [query["sql"] for query in made]
        return sum(not sql.startswith(("SAVEPOINT", "RELEASE")) for sql in statements)

    client.get(ASK)
    # Locks, what was asked for lately, the code, the message.
    assert queries(ask, client) == 4
    # The code, twice, the second time locked; the wrong try.
    assert queries(type_code, client, wrong_code()) == 3
    assert queries(client.get, CODE) == 1


def test_the_mail_of_a_code_that_ran_out_says_so_and_has_none(client, settings) -> None:
    with mailbox(settings) as box:
        ask(client)
        pass_minutes(11)
        (mail,) = sent(box)
    assert mail["Subject"] == "Your code has run out"
    assert last_code()[:3] not in text_of(mail)
    assert "ran out before we could send it" in page_of(mail)


def test_a_code_and_its_link_are_nowhere_but_in_the_mail(client, settings, admin_client) -> None:
    with mailbox(settings) as box:
        ask(client)
        unsent = [*Message.objects.values(), *EmailCode.objects.values()]
        (mail,) = sent(box)
    key = link_in(mail).partition("key=")[2]
    signature = key.rpartition(":")[2]
    assert len(signature) == 43
    pages = [client.get(CODE), client.get(ASK)]
    message = Message.objects.get()
    pages += [admin_client.get("/admin/outbox/message/")]
    pages += [admin_client.get(f"/admin/outbox/message/{message.pk}/change/")]
    stored = [*unsent, *Message.objects.values(), *EmailCode.objects.values()]
    everything = [re.sub(r"[0-9a-f-]{32,}", "", str(row)) for row in stored]
    everything += [page.content.decode() for page in pages]
    for text in everything:
        for secret in (last_code(), code_in(mail), signature):
            assert secret not in text
    assert message.context == {}
    assert "Sign in code" in pages[-1].content.decode()


def test_too_many_asked_from_one_network_are_refused_for_a_while(
    client, settings, monkeypatch
) -> None:
    monkeypatch.setattr("allo.web.rate.time.time", lambda: 7201.0)
    redis_client().delete("rate:code:127.0.0.1/32:2")
    settings.CODE_RATE = "2/h"
    for n in range(2):
        assert ask(Client(), f"a{n}@example.org").status_code == 303
    refused = ask(client)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3599")
    assert EmailCode.objects.count() == 2


def test_too_many_for_one_address_are_refused_in_plain_words(client, settings) -> None:
    """A network less than the address, whose person gets one elsewhere."""
    settings.TRUSTED_PROXIES = 1
    for network, most in (("203.0.113.1", 4), ("203.0.113.2", 2)):
        browser = Client(headers={"X-Forwarded-For": network})
        for _ in range(most):
            assert ask(browser, "Asha@example.org").status_code == 303
        assert ask(browser, "Asha@example.org").status_code == 429
    page = ask(client, "asha@EXAMPLE.org")
    assert page.status_code == 429
    assert 3000 < int(page.headers["Retry-After"]) <= 3600
    assert re.search(r"Try again in \d\d minutes\.", page.content.decode())
    assert Message.objects.count() == 6
    assert ask(client, "ravi@example.org").status_code == 303
