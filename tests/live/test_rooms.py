"""The line of a waiting room: who is let in, and when."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from django.conf import settings as django_settings
from django.core.signing import BadSignature
from redis.client import PubSub
from redis.exceptions import RedisError

from allo.live.rooms import passes, store
from allo.live.rooms.keeper import Keeper
from allo.live.rooms.passes import Place, Ticket, name_in, read_place, read_ticket
from allo.live.rooms.store import run
from allo.redis_client import redis_client
from tests.live import rooms
from tests.live.rooms import PAGE, Room, moment

ROOM = 7
T = TypeVar("T")
STEPPED_JUST_NOW = """
    local time = redis.call('TIME')
    redis.call('HSET', KEYS[1], 'stepped_at', string.format('%.6f', time[1] + time[2] / 1e6 - 0.05))
"""


@pytest.fixture
def room() -> Iterator[Room]:
    redis_client().flushdb()
    yield Room(ROOM)
    redis_client().flushdb()


@pytest.fixture
def published(settings: Any) -> Iterator[PubSub]:
    with redis_client().pubsub() as subscription:
        subscription.subscribe(settings.LIVE_CHANNEL)
        subscription.get_message(timeout=30)
        yield subscription


def told(published: PubSub) -> list[str]:
    """What was published of the room so far, without its moments."""
    redis_client().publish(django_settings.LIVE_CHANNEL, "end")
    messages = iter(lambda: published.get_message(timeout=30)["data"], b"end")
    lines = (message.decode().split(" ", 3) for message in messages)
    return [" ".join([key, *numbers]) for topic, key, _, *numbers in lines if topic == "room:7"]


# --- order --------------------------------------------------------------------------------------


def test_the_early_are_let_in_by_a_lot_that_the_secret_decides(room: Room, settings: Any) -> None:
    settings.SECRET_KEY = "fixed"
    room.open(60)
    names = [f"visitor-{n}" for n in range(6)]
    for name in names:
        room.join(name)
    room.open(-1)
    # As `hmac` and `hashlib` alone order them.
    assert room.let_in_order() == [f"visitor-{n}" for n in (5, 4, 0, 2, 1, 3)]


def test_the_late_are_let_in_in_order_of_arrival_behind_the_early(room: Room) -> None:
    room.open(60)
    early = room.join("early")
    room.open(-1)
    names = [f"late-{n}" for n in random.sample(range(100), 20)]
    for name in names:
        room.join(name)
    assert early.score < 1
    assert room.let_in_order() == ["early", *names]


def test_places_of_one_network_beyond_a_few_are_drawn_behind_everybodys(
    room: Room, settings: Any
) -> None:
    settings.ROOM_PLACES_PER_NETWORK = 3
    room.open(60)
    for n in range(9):
        room.join(f"bot-{n}", "198.51.100.1/32")
    for n in range(9):
        room.join(f"shopper-{n}", f"192.0.2.{n}/32")
    first, rest = room.line()[:12], room.line()[12:]
    assert {f"shopper-{n}" for n in range(9)} | {f"bot-{n}" for n in range(3)} == set(first)
    assert {name[4:] for name in rest[:3]} == {"3", "4", "5"}


@pytest.mark.parametrize(
    ("networks", "first_ones"), [("2001:db8:0:{:x}::/64", 12), ("2001:db8:0:{:x}00::/64", 48)]
)
def test_the_first_places_of_one_line_are_few_however_many_networks_it_has(
    room: Room, settings: Any, networks: str, first_ones: int
) -> None:
    """A line may have a /56 or a /48 of IPv6, in which each browser can have a network."""
    settings.ROOM_PLACES_PER_NETWORK = 3
    room.open(60)
    for n in range(60):
        room.join(f"bot-{n}", networks.format(n))
    for n in range(9):
        room.join(f"shopper-{n}", f"2001:db8:{n + 1:x}::/64")
    first = {f"bot-{n}" for n in range(first_ones)} | {f"shopper-{n}" for n in range(9)}
    assert set(room.line()[: len(first)]) == first


def test_the_early_are_in_no_order_of_arrival() -> None:
    """The mean rank correlation over 20 rooms of 1,000: 0.05 is seven standard deviations."""
    correlations = []
    for number in range(20):
        lots = [passes.lot_of(number, f"visitor-{n}") for n in range(1000)]
        correlations.append(_rank_correlation(lots))
    assert abs(sum(correlations) / 20) < 0.05


def _rank_correlation(values: list[float]) -> float:
    n = len(values)
    ranks = {value: rank for rank, value in enumerate(sorted(values))}
    apart = sum((ranks[value] - arrived) ** 2 for arrived, value in enumerate(values))
    return 1 - 6 * apart / (n * (n * n - 1))


# --- those who leave, come back, or come twice ---------------------------------------------------


def test_a_room_does_not_wait_for_those_who_left(room: Room) -> None:
    room.open()
    left = [room.join(f"left-{n}") for n in range(30)]
    room.join("here")
    room.absent(*(place.visitor for place in left))
    room.one_a_step()
    assert room.step().let_in == 1
    assert room.line() == []
    assert room.seen(room.place("here", 0)) == ["in"]


def test_a_visitor_who_comes_back_has_the_same_place(room: Room) -> None:
    room.open(60)
    places = {name: room.join(name) for name in ("a", "b", "c")}
    before = room.line()
    room.absent(before[0])
    room.step()
    assert room.line() == before[1:]
    # By the open page, or by the shop with the place from its cookie.
    assert room.seen(places[before[0]]) == ["waiting"]
    assert room.line() == before
    room.absent(before[0])
    room.step()
    room.open(-1)
    assert room.join(before[0], shown=places[before[0]]) == places[before[0]]
    assert room.line() == before


@pytest.mark.parametrize("in_seconds", [60, -1])
def test_joining_again_changes_nothing(room: Room, in_seconds: float) -> None:
    room.open(in_seconds)
    first = room.join("me", "192.0.2.1/32")
    room.join("other")
    assert room.join("me", "192.0.2.1/32") == first
    assert room.join("me", "198.51.100.1/32") == first  # from Wi-Fi to a mobile network


def test_a_visitor_who_was_let_in_does_not_come_back_by_the_same_place(room: Room) -> None:
    room.open()
    place = room.join("me")
    room.step()
    assert (room.join("me"), room.line()) == (place, [])  # with the ticket, nobody joins anew
    ticket = room.ticket_of(place)
    run(store.used(ticket, units=1))
    other = room.join("other")
    assert (room.seen(place), room.check(ticket)) == (["over"], "over")
    again = room.join("me", shown=place)
    assert again.score > other.score
    assert room.line() == ["other", "me"]
    assert room.seen(place, again) == ["waiting", "waiting"]


def test_a_turn_that_was_not_taken_is_over_and_the_next_is_let_in(room: Room) -> None:
    room.open(free=1)
    places = [room.join(name) for name in "abc"]
    assert (room.step().let, room.line()) == (2, ["c"])
    room.all_turns_are_over()
    assert room.seen(*places) == ["over", "over", "waiting"]
    assert (room.step().let, room.line()) == (1, [])


def test_those_who_are_there_when_it_closes_keep_their_order(room: Room) -> None:
    """With a ticket that is not used, first; whoever left or was served keeps nothing."""
    room.open(free=2)
    served, let = room.join("served"), room.join("let")
    late = room.join("late")
    room.step()
    tickets = [room.ticket_of(place) for place in (served, let, late)]
    for name in ("a", "left", "b"):
        room.join(name)
    room.absent("left")
    run(store.used(tickets[0], units=1))
    ended = datetime(2026, 11, 27, 12, 0, 0, 123, tzinfo=UTC)
    room.close(closed_at=ended, onward="/list/")
    assert room.kept("x", "let") == (0, 4)
    assert [room.kept(name) for name in ("late", "a", "b")] == [(1, 4), (2, 4), (3, 4)]
    assert [room.kept(name) for name in ("served", "left", "never")] == [None] * 3
    # It is heard of late that one of the tickets was used: nobody else's rank changes.
    run(store.used(tickets[2], units=1))
    assert [room.kept(name) for name in ("late", "a")] == [None, (2, 4)]
    found = run(store.kept(ROOM, ["a"]))
    assert found
    assert found.closed_at == ended
    assert room.seen(let, late, served, room.place("a", 1)) == ["kept", "closed", "closed", "kept"]
    assert room.now().onward == "/list/"
    room.put(ended_at=moment(-1801).timestamp())
    assert (room.kept("a"), room.seen(room.place("a", 1)), room.now().onward) == (
        None, ["closed"], "",
    )  # fmt: skip


def test_a_room_that_opens_again_has_its_line_and_keeps_no_places(room: Room) -> None:
    room.open(-60, free=1)
    let, waits = room.join("let"), room.join("waits")
    room.step()
    ticket = room.ticket_of(let)
    room.close()
    assert (room.kept("waits"), room.seen(waits), room.now().onward) == (None, ["closed"], "")
    room.open(-60, free=0)
    assert room.line() == ["let", "waits"]
    # The ticket of before lasts until its end, but not longer.
    assert (room.check(ticket), room.line()) == ("in", ["waits"])
    room.close(closed_at=moment(0))
    room.open()
    assert room.kept("waits") is None


def test_those_who_stay_while_it_is_closed_for_a_passing_reason_are_there_when_it_opens(
    room: Room,
) -> None:
    room.open(free=0)
    stays, left = room.join("stays"), room.join("left")
    room.close(passing=True)
    assert room.now().passing
    room.absent("stays", "left")
    assert room.seen(stays, room.place("never", 1)) == ["closed", "closed"]
    room.open(free=0)
    assert not room.step().passing
    assert room.line() == ["stays"]
    assert room.seen(left) == ["waiting"]  # by its place, as always
    room.close()
    room.absent("stays", "left")
    room.seen(stays, left)
    room.open(free=0)
    room.step()
    assert room.line() == []  # of a room that closed for good nobody waits


def test_a_room_that_might_have_opened_again_can_close_for_good(room: Room) -> None:
    room.open(free=0)
    place = room.join("me")
    run(store.close(ROOM, "It is away.", passing=True))
    room.close(closed_at=moment(0), onward="/list/")
    assert (room.now().words, room.now().passing) == ("All are sold.", False)
    assert room.seen(place) == ["kept"]
    run(store.close(ROOM, "It is away.", passing=True))
    assert room.now().words == "All are sold."


def test_a_room_knows_since_when_it_has_been_open(room: Room) -> None:
    room.open(-120)
    since = room.now().opened_at
    assert 0 <= room.now().now - since < 60
    room.open(-120)
    assert room.now().opened_at == since
    room.close()
    room.open(-120)
    assert room.now().opened_at > since
    redis_client().hdel(room.key(), "opened_at", "passing", "draw")  # of the version before
    assert (room.now().opened_at, room.now().passing) == (0, False)


# --- a second opening ---------------------------------------------------------------------------


def test_a_second_opening_owes_nothing_to_one_that_is_over(room: Room, settings: Any) -> None:
    settings.ROOM_PLACES_PER_NETWORK = 1
    room.open(60)
    network = "192.0.2.1/32"
    served = room.join("served", network)
    room.open(free=1)
    room.step()
    ticket = room.ticket_of(served)
    run(store.used(ticket, units=1))
    late, missed = room.join("late"), room.join("missed")
    room.close()
    room.open(3600)
    numbers = room.now()
    assert (numbers.moved_from, numbers.let_in, numbers.pace, numbers.waiting) == (None, 0, 0, 0)
    assert room.seen(served, late) == ["over", "over"]
    served_again = room.join("served", network, served)
    assert [served_again.score < 1, room.join("late", shown=late).score < 1] == [True, True]
    # The ticket of then neither lets in nor takes the new place.
    assert room.check(ticket) == room.check(ticket._replace(ends=-ticket.ends)) == "wait"
    assert room.seen(served_again) == ["waiting"]
    assert 1 <= room.join("another", network).score < 2
    room.open(-1)
    room.step()
    assert room.seen(served_again, missed) == ["in", "over"]


def test_an_opening_postponed_after_it_began_draws_all_who_wait_and_loses_nobody(
    room: Room, published: PubSub
) -> None:
    room.open(60)
    early = [room.join(f"early-{n}") for n in range(20)]
    room.open(free=5)
    room.step()
    ticket, other = (room.ticket_of(room.place(it, 0)) for it in room.line(":let")[:2])
    run(store.used(ticket, units=1))
    places = {it.visitor: it for it in (*early, *(room.join(f"late-{n}") for n in range(20)))}
    del places[ticket.visitor]
    told(published)
    room.open(3600)
    assert told(published) == ["page"]
    line = room.line()
    assert set(line) == set(places)
    # By chance none of the late is among the first once in millions of times.
    assert any(it.startswith("late") for it in line[:15])
    assert float(redis_client().zscore(room.key(":line"), line[-1]) or 1) < 1
    assert (room.check(other), room.now().let, room.now().moved_from) == ("wait", 0, None)
    # A visitor who leaves and comes back keeps its lot, with the place of before or without it.
    left, again = line[0], line[1]
    room.absent(left, again)
    room.step()
    assert room.line() == line[2:]
    assert room.seen(places[left]) == ["waiting"]
    room.join(again)
    assert room.line() == line
    room.absent(left)
    room.step()
    assert room.join(left, shown=places[left]).draw
    assert room.line() == line
    # It is moved once more before it begins.
    first = room.now().opens_at
    room.open(7200)
    assert (room.line(), room.now().moved_from) == (line, first)
    room.open(-1, free=100)
    room.step()
    assert room.seen(*places.values()) == ["in"] * 39
    room.all_turns_are_over()
    assert room.seen(places[left]) == ["over"]
    assert room.join(left, shown=places[left]).score > 1


def test_those_who_wait_for_a_withdrawn_product_are_drawn_for_its_next_opening(room: Room) -> None:
    room.open(free=0)
    places = [room.join(f"{n}") for n in range(9)]
    room.close(passing=True)
    room.open(3600)
    assert room.seen(*places) == ["waiting"] * 9
    assert [place for place in map(room.join, room.line()) if place.score >= 1] == []


def test_nobody_brings_an_old_lot_to_a_second_opening(room: Room) -> None:
    room.open(60)
    lucky = room.join("me")
    room.open(-1)
    room.close()
    scores = {lucky.score}
    for _ in range(2):
        room.open(3600)
        place = room.join("me", shown=lucky)
        assert place.score not in scores
        scores.add(place.score)
        # Nor does the same visitor get another lot at the same opening.
        for shown in (lucky, None, place):
            redis_client().delete(room.key(":line"))
            assert room.join("me", shown=shown) == place
        lucky = place
        room.open(-1)
        room.close()


def test_after_a_loss_the_place_of_any_drawing_counts(room: Room) -> None:
    room.open()
    room.close()
    room.open(3600)
    place = room.join("me")
    assert place.draw
    redis_client().flushdb()
    room.open(60)
    assert room.seen(place) == ["waiting"]
    assert room.join("me", shown=place) == place._replace(draw="")


def test_an_opening_moved_within_the_past_is_not_drawn_again(room: Room) -> None:
    room.open(-60, free=1)
    places = [room.join(name) for name in "abc"]
    room.step()
    for seconds in (-30, -90):
        room.open(seconds, free=0)
        assert room.seen(*places) == ["in", "in", "waiting"]
        assert (room.now().moved_from, room.now().let_in) == (None, 2)
    assert (room.join("c", shown=places[2]), room.line()) == (places[2], ["c"])


# --- how many -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("free", "let"), [(0, 0), (1, 2), (5, 6), (10, 12), (15, 18)])
def test_a_fifth_more_are_let_in_than_units_are_free(room: Room, free: int, let: int) -> None:
    room.open(free=free)
    for n in range(30):
        room.join(f"{n}")
    assert room.step().let == let
    assert room.step().let == let


def test_what_a_ticket_took_is_not_there_for_the_next(room: Room) -> None:
    room.open(free=5)
    places = [room.join(f"{n}") for n in range(20)]
    room.step()
    for place in places[:5]:
        run(store.used(room.ticket_of(place), units=1))
    numbers = room.step()
    assert (numbers.supply, numbers.held, numbers.let, numbers.let_in) == (0, 5, 1, 6)
    run(store.supply(ROOM, free=2, held=3))
    assert (room.step().let_in, len(room.line())) == (8, 12)
    run(store.used(room.ticket_of(places[5]), units=3))
    assert room.step().supply == 0


def test_a_turn_in_which_nothing_is_left_is_none_and_its_visitor_is_next(room: Room) -> None:
    room.open(-200, free=0)
    first, second = room.join("first"), room.join("second")
    room.join("third")
    run(store.supply(ROOM, free=1, held=9))
    assert (room.step().let, room.line()) == (2, ["third"])
    taken = room.ticket_of(first)
    run(store.used(taken, units=1))
    ended = room.ticket_of(second)._replace(ends=int(moment(-1).timestamp()))
    room.all_turns_are_over()
    room.step()
    assert (room.seen(first, second), room.line()) == (["over", "waiting"], ["second", "third"])
    # The ticket that it still has takes neither the place nor, after a while elsewhere, the way
    # back to it.
    assert (room.check(ended), room.line()) == ("wait", ["second", "third"])
    room.absent("second")
    room.step()
    assert (room.check(ended), room.line()) == ("wait", ["third"])
    assert room.join("second", shown=second) == second
    run(store.supply(ROOM, free=1, held=9))
    room.step()
    assert room.seen(second) == ["in"]
    # That one could be used.
    room.all_turns_are_over()
    room.step()
    assert (room.seen(second), room.check(ended)) == (["over"], "over")


@pytest.mark.parametrize(
    ("reports", "rate"),
    [
        ([], 2), ([(199, 0.69)], 105), ([(201, 0.1)], 100), ([(1, 0.71)], 100), ([(501, 0)], 70),
        ([(1, 0.91)], 70), ([(1, 0), (501, 0)], 70), ([(1, 0), (1, 0.8)], 100),
    ],
)  # fmt: skip
def test_the_rate_follows_the_process_of_the_shop_that_copes_worst(
    room: Room, reports: list[tuple[float, float]], rate: float
) -> None:
    room.open()
    room.put(rate=100)
    redis_client().delete(room.key(":reports"))
    for number, (p95, busy) in enumerate(reports):
        run(store.report(ROOM, f"web-{number}", p95_ms=p95, busy=busy))
    room.put(stepped_at=moment(-1.5).timestamp())
    assert round(room.now().rate, 1) == rate


def test_the_rate_stays_within_its_bounds(room: Room) -> None:
    room.open()
    assert room.step().rate == 200
    run(store.report(ROOM, "web", p95_ms=900, busy=1))
    for _ in range(20):
        numbers = room.step()
    assert numbers.rate == 2
    redis_client().hset(room.key(":reports"), "web", f"{moment(-4).timestamp()} 1 0")
    room.put(rate=100)
    assert room.step().rate == 2  # a report of four seconds ago


def test_the_pace_falls_while_somebody_waits_and_nobody_is_let_in(room: Room) -> None:
    room.open(free=0)
    room.put(pace=10)
    assert room.step().pace == 10
    room.join("a")
    assert room.step().pace < 10


def test_nobody_is_let_in_before_the_opening_or_from_a_closed_room(room: Room) -> None:
    room.open(60)
    room.join("me")
    assert (room.step().let, room.step().phase) == (0, "early")
    room.close()
    numbers = room.now()
    assert numbers
    assert (numbers.phase, numbers.let, numbers.words) == ("closed", 0, "All are sold.")
    assert run(store.join(ROOM, visitor="late", network="x")) is None
    assert room.seen(room.place("me", 0.5)) == ["closed"]
    assert 0 < redis_client().ttl(room.key()) <= store.CLOSED_SECONDS
    room.open()
    assert (room.line(), redis_client().ttl(room.key())) == (["me"], -1)
    assert (room.step().phase, room.line()) == ("open", [])


def test_steps_at_the_same_time_are_one(room: Room) -> None:
    room.open()
    room.join("me")
    room.put(tokens=200)
    step = store.step(ROOM)
    # Nothing comes between them, and no time passes.
    with redis_client().pipeline() as pipeline:
        pipeline.eval(STEPPED_JUST_NOW, 1, room.key())
        for _ in range(5):
            store.queue(step, pipeline)
        _, *answers = pipeline.execute()
    assert [numbers.let for numbers in map(step.read, answers) if numbers] == [0] * 5
    room.put(stepped_at=moment(60).timestamp())  # Redis's clock was set back
    assert room.now().let == 1


# --- what pages hear ------------------------------------------------------------------------------


def test_pages_hear_at_once_who_is_next_and_where_the_others_stand(
    room: Room, published: PubSub
) -> None:
    room.open(60, free=1)
    for name in "abcd":
        room.join(name)
    room.step()
    room.step()
    assert told(published) == ["room early 1 0 - 4 0.000 "]
    room.open(-1, free=1)
    room.step()
    third, fourth = (redis_client().zscore(room.key(":line"), name) for name in room.line())
    page, line = told(published)
    assert page == "page"  # the opening was moved
    phase, supply, held, head, waiting, _, first, second = line.split(" ")[1:]
    assert (phase, supply, held, waiting) == ("open", "1", "0", "2")
    assert float(head) == float(first.removeprefix("0:")) == third
    assert float(second.removeprefix("1:")) == fourth
    room.close()
    assert told(published) == ["page"]


def test_marks_of_a_long_line_are_few_and_true(room: Room) -> None:
    room.open(60)
    redis_client().zadd(room.key(":line"), {f"{n}": n / 10_000 for n in range(10_000)})
    with redis_client().pubsub() as subscription:
        subscription.psubscribe("*")
        subscription.get_message(timeout=30)
        room.open(-1, free=0)
        room.step()
        (_, message) = told(subscription)
    marks = [mark.split(":") for mark in message.split(" ")[7:]]
    assert len(marks) < 40
    assert (marks[0][0], marks[-1][0]) == ("0", "9999")
    assert all(int(rank) == round(float(score) * 10_000) for rank, score in marks)


def test_a_moved_opening_keeps_every_place(room: Room, published: PubSub) -> None:
    room.open(60)
    for name in "abc":
        room.join(name)
    before, first = room.line(), room.now().opens_at
    later = moment(3600)
    for _ in range(2):  # to repeat it changes nothing
        run(store.open_room(ROOM, opens_at=later, back=rooms.BACK, page=rooms.PAGE))
    numbers = room.step()
    assert (numbers.opens_at, numbers.moved_from) == (later.timestamp(), first)
    assert room.line() == before
    assert [it for it in told(published) if it == "page"] == ["page"]


# --- tickets --------------------------------------------------------------------------------------


def test_the_shop_asks_for_a_ticket_while_there_is_a_room(room: Room) -> None:
    assert room.check(None) == "none"
    room.open()
    assert room.check(None) == "wait"
    place = room.join("me")
    room.step()
    ticket = room.ticket_of(place)
    with redis_client().pipeline() as pipeline:
        call = store.check(ROOM, ticket)
        store.queue(call, pipeline)
        assert [call.read(answer) for answer in pipeline.execute()] == ["in"]
    room.all_turns_are_over()
    assert room.check(ticket) == "over"
    room.close()
    assert room.check(None) == "none"


def test_a_ticket_counts_until_its_end_even_if_redis_has_lost_the_room(room: Room) -> None:
    room.open(-200)
    place = room.join("me")
    room.step()
    ticket = room.ticket_of(place)
    ended = Ticket(ROOM, "other", 0.5, int(moment(-1).timestamp()))
    redis_client().flushdb()
    room.open(-200)
    assert room.seen(place) == ["waiting"]
    assert (room.check(ticket), room.line()) == ("in", [])
    assert room.check(ended) == "over"
    run(store.used(ticket, units=1))
    assert room.check(ticket) == "over"
    # Nor do their places bring them back, also if it was lost just before the ticket was used.
    assert room.seen(place, room.place("other", 0.5)) == ["over", "over"]
    redis_client().flushdb()
    room.open(-200)
    run(store.used(ticket, units=1))
    assert room.seen(place) == ["over"]


def test_a_room_that_is_there_is_not_opened_as_it_was(room: Room) -> None:
    room.open(60, free=5)
    was = room.now()
    room.open(-1, free=3)
    now = room.now()
    run(store.open_lost(ROOM, was, rooms.PAGE))
    assert (room.now().opens_at, room.now().supply) == (now.opens_at, 3)


def test_scripts_that_redis_has_forgotten_are_sent_again(room: Room) -> None:
    room.open()
    redis_client().script_flush()
    assert room.join("me").visitor == "me"


def test_passes_of_another_room_visitor_or_secret_are_refused(settings: Any) -> None:
    place = Place(ROOM, name_in(ROOM, "visitor:1"), 1764211234.123456)
    ticket = Ticket(*place[:3], ends=1764211354)
    signed = passes.sign_place(place), passes.sign_ticket(ticket)
    assert signed[0].count("~") == 2  # as the version before signed it
    assert read_place(signed[0], room=ROOM) == place
    redrawn = place._replace(draw="d1")
    assert read_place(passes.sign_place(redrawn), room=ROOM, visitor=place.visitor) == redrawn
    with pytest.raises(BadSignature):
        read_place(passes.sign_place(redrawn).replace("~d1", "~d2"), room=ROOM)
    assert read_place(signed[0], room=ROOM, visitor=place.visitor) == place
    assert read_ticket(signed[1], room=ROOM, visitor=place.visitor) == ticket
    for room, visitor in ((8, place.visitor), (ROOM, name_in(ROOM, "visitor:2")), (ROOM, "")):
        with pytest.raises(BadSignature):
            read_place(signed[0], room=room, visitor=visitor)
        with pytest.raises(BadSignature):
            read_ticket(signed[1], room=room, visitor=visitor)
    for forged in (signed[1], signed[0].replace("176", "175"), "", "\udcff", "7~me~0.5", "~~:x"):
        with pytest.raises(BadSignature):
            read_place(forged, room=ROOM)
    settings.SECRET_KEY = "x" * 50
    with pytest.raises(BadSignature):
        read_place(signed[0], room=ROOM)


@pytest.mark.parametrize("network", ["192.0.{0}.{1}/32", "2001:db8:{0:x}{1:02x}:ab00::/64"])
def test_each_waiting_visitor_takes_less_than_a_kilobyte_of_redis(room: Room, network: str) -> None:
    room.open(60)
    used = redis_client().info("memory")["used_memory"]
    for n in range(1000):
        room.join(name_in(ROOM, f"visitor:{n}"), network.format(n // 250, n % 250))
    assert redis_client().info("memory")["used_memory"] - used < 1000 * 1000


def test_a_page_is_not_filled_before_it_has_arrived(
    room: Room, settings: Any, monkeypatch: Any
) -> None:
    """While a step reads it, somebody who looks reads it too."""
    room.open(60)
    place = room.join("me")

    async def both(keeper: Keeper) -> bytes:
        asked, goes_on, get = asyncio.Event(), asyncio.Event(), keeper._redis.get

        async def late(key: str) -> Any:
            if not asked.is_set():
                asked.set()
                await goes_on.wait()
            return await get(key)

        monkeypatch.setattr(keeper._redis, "get", late)
        step = asyncio.create_task(keeper._keep(keeper.room(room.number)))
        await asked.wait()
        assert await keeper.look(place)
        page = keeper.room(room.number).page
        goes_on.set()
        await step
        return page

    assert with_keeper(settings.REDIS_URL, both) == PAGE


def test_many_who_look_at_once_share_few_calls_and_each_gets_its_own(
    room: Room, settings: Any, monkeypatch: Any
) -> None:
    room.open(60)
    places = [room.join(f"{n}") for n in range(300)]
    seen = store.seen
    sizes: list[int] = []

    def counted(number: int, asked: list[Place]) -> Any:
        sizes.append(len(asked))
        return seen(number, asked)

    monkeypatch.setattr(store, "seen", counted)

    async def look(keeper: Keeper) -> list[Any]:
        gone = asyncio.create_task(keeper.look(places[0]))
        asked = asyncio.gather(*map(keeper.look, places))
        await asyncio.sleep(0)
        gone.cancel()  # its page was closed
        return await asked

    scores = [look[1].score for look in with_keeper(settings.REDIS_URL, look)]
    assert scores == [place.score for place in places]
    assert len(sizes) <= 4
    assert sum(sizes) == 301


def test_all_who_look_while_redis_is_away_hear_of_it(room: Room) -> None:
    async def look(keeper: Keeper) -> list[Any]:
        places = [room.place(f"{n}", 0.5) for n in range(9)]
        return await asyncio.gather(*map(keeper.look, places), return_exceptions=True)

    errors = with_keeper("redis://127.0.0.1:1/0", look)
    assert [isinstance(error, RedisError) for error in errors] == [True] * 9


def test_an_open_page_is_reported_once_and_then_not_for_a_while(room: Room, settings: Any) -> None:
    room.open(60)
    place = room.join("me")

    async def watch(keeper: Keeper) -> list[Any]:
        known = keeper.room(room.number)
        with keeper.watching(place):
            await keeper._keep(known)
            return known.due()

    assert with_keeper(settings.REDIS_URL, watch) == []


def with_keeper(url: str, act: Callable[[Keeper], Awaitable[T]]) -> T:
    async def run_it() -> T:
        keeper = Keeper(url)
        async with keeper._redis, keeper._steps, asyncio.timeout(60):
            return await act(keeper)

    return asyncio.run(run_it())
