"""The state machine of one connection, without a socket or a clock."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from server.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TokenExpired,
    TooMany,
    Unauthorized,
    Unavailable,
    WarmlineError,
)
from server.gateway import protocol as p
from server.gateway.effects import Admit, Ask, Begin, Call, Close, Renew, Say, as_error, as_subscribe_error
from tests.gateway.machine import OVER, PERSON, ask, codes, fresh, opened

# Connecting


def test_the_first_command_is_connect_and_what_comes_with_it_waits():
    connection = fresh()
    assert ask(connection, p.Connect(1, "t"), p.Rpc(2, "a", b"1")) == [Admit("t")]
    assert ask(connection, p.Rpc(3, "b", b"2")) == []
    assert connection.deadline == float("inf")
    welcome, *calls = connection.admitted(replace(PERSON, ttl=60), 101)
    assert welcome == Say(
        p.Reply(1, p.ConnectResult("c1", "warmline", 25, 60, b"{}", {"#person": p.SubscribeResult()}))
    )
    assert calls == [Call(2, "a", b"1"), Call(3, "b", b"2")]
    assert connection.admission == replace(PERSON, ttl=60)


FOLLOWED = replace(PERSON, followed=True)


def test_a_personal_channel_of_the_log_is_subscribed_to_before_the_welcome():
    connection = fresh()
    ask(connection, p.Connect(1, "t", {"#person": (7, "e"), "other": (1, "e")}), p.Subscribe(2, "#person"))
    assert connection.admitted(FOLLOWED, 101) == [Begin("#person")]
    assert ask(connection, p.Rpc(3, "a", b"1")) == []
    assert connection.wish("#person") == p.Subscribe(1, "#person", True, "e", 7)
    found = p.SubscribeResult(True, "e", 7, True, True, (p.Publication(b"8", 8),))
    welcome, refused, call = connection.subscribed("#person", found, 102)
    assert welcome == Say(p.Reply(1, p.ConnectResult("c1", "warmline", 25, 0, b"{}", {"#person": found})))
    assert (codes([refused]), call) == ([105], Call(3, "a", b"1"))
    assert connection.stands("#person")
    assert connection.ended("#person", p.EndCode.INSUFFICIENT_STATE) == [Close(OVER.INSUFFICIENT_STATE)]


def test_without_a_position_it_begins_where_the_log_stands_and_may_end():
    connection = fresh()
    ask(connection, p.Connect(1, "t", {"other": (1, "e")}))
    connection.admitted(FOLLOWED, 101)
    assert connection.wish("#person") == p.Subscribe(1, "#person")
    connection.subscribed("#person", p.SubscribeResult(True, "e", 7), 102)
    assert connection.ended("#person", p.EndCode.REMOVED) == [Say(p.End("#person", p.EndCode.REMOVED))]


def test_without_its_personal_channel_nobody_is_welcomed():
    connection = fresh(connect_timeout=10)
    ask(connection, p.Connect(1, "t"), p.Rpc(2, "a", b"1"))
    connection.admitted(FOLLOWED, 101)
    assert connection.denied("#person", p.Error(100, "later", True)) == [Say(p.Reply(1, p.Error(100, "later", True)))]
    assert ask(connection, p.Rpc(3, "a", b"1")) == []
    assert connection.tick(110) == [Close(OVER.STALE)]


@pytest.mark.parametrize(
    "command",
    [
        p.Pong(),
        p.Rpc(1, "a", b""),
        p.Subscribe(1, "c"),
        p.Refresh(1, "t"),
        p.Send(),
        p.Malformed("x"),
        p.Unavailable(1, "x"),
    ],
)
def test_anything_else_first_closes(command: p.Command):
    connection = fresh()
    assert ask(connection, command, p.Connect(2)) == [Close(OVER.BAD_REQUEST)]
    assert connection.closed
    assert ask(connection, p.Connect(3)) == []
    assert connection.deadline == float("inf")


def test_a_first_command_that_is_too_large_is_told_and_nothing_else_is_taken():
    connection = fresh()
    assert codes(ask(connection, p.BadRequest(1, "too large"), p.Connect(2))) == [107]
    assert ask(connection, p.Connect(3)) == []
    assert connection.tick(110) == [Close(OVER.STALE)]


def test_a_second_connect_closes():
    assert ask(opened(), p.Connect(2)) == [Close(OVER.BAD_REQUEST)]


@pytest.mark.parametrize(("error", "code"), [(TokenExpired("x"), 109), (Unavailable("x"), 100), (TooMany("x"), 111)])
def test_a_connect_that_may_succeed_later_is_answered_and_the_rest_dropped(error: WarmlineError, code: int):
    connection = fresh()
    ask(connection, p.Connect(1, "t"), p.Rpc(2, "a", b""))
    effects = connection.refused(error, 105)
    assert codes(list(effects)) == [code]
    assert len(effects) == 1
    assert ask(connection, p.Rpc(3, "a", b"")) == []
    assert connection.tick(114.9) == []
    assert connection.tick(115) == [Close(OVER.STALE)]


@pytest.mark.parametrize("error", [Unauthorized("x"), Forbidden("x"), Conflict("x")])
def test_a_connect_that_never_will_closes(error: WarmlineError):
    connection = fresh()
    ask(connection, p.Connect(1, "t"))
    assert connection.refused(error, 101) == [Close(OVER.INVALID_TOKEN)]


def test_an_answer_about_the_token_after_the_end_is_dropped():
    connection = fresh()
    ask(connection, p.Connect(1, "t"))
    assert connection.close(OVER.SHUTDOWN) == [Close(OVER.SHUTDOWN)]
    assert connection.close(OVER.SHUTDOWN) == []
    assert connection.admitted(PERSON, 101) == []
    assert connection.refused(Unavailable("x"), 101) == []


def test_no_connect_in_time_closes():
    connection = fresh()
    assert connection.deadline == 110
    assert connection.tick(109.9) == []
    assert connection.tick(110) == [Close(OVER.STALE)]


# Commands


def test_commands_that_are_not_offered():
    connection = opened()
    assert codes(ask(connection, p.Unavailable(2, "ping"), p.Unavailable(3, "publish"))) == [108, 108]


@pytest.mark.parametrize(
    "question", [p.PublishRequest(2, "c", b"1"), p.History(2, "c"), p.Presence(2, "c"), p.SubRefresh(2, "", "t")]
)
def test_questions_are_looked_up(question: p.Question):
    assert ask(opened(), question) == [Ask(question)]


@pytest.mark.parametrize("make", [lambda name: p.History(2, name), lambda name: p.Presence(2, name, True)])
def test_questions_name_a_channel(make: Callable[[str], p.Question]):
    assert ask(opened(), make("")) == [Close(OVER.BAD_REQUEST)]
    assert codes(ask(opened(), make("ü" * 128))) == [107]


def test_without_a_token_only_where_the_policy_is_to_judge_that_too():
    assert ask(fresh(), p.Connect(1)) == [Close(OVER.BAD_REQUEST)]
    connection = fresh(anonymous=True)
    assert ask(connection, p.Connect(1)) == [Admit(None)]
    welcome, *_ = connection.admitted(replace(PERSON, personal=""), 101)
    assert welcome == Say(p.Reply(1, p.ConnectResult("c1", "warmline", 25, 0, b"{}")))
    assert codes(ask(connection, p.BadRequest(4, "too large"))) == [107]
    assert ask(connection, p.Send()) == [Close(OVER.NOT_AVAILABLE)]


def test_nonsense_closes():
    assert ask(opened(), p.Malformed("x"), p.Rpc(2, "a", b"")) == [Close(OVER.BAD_REQUEST)]


# Time


def test_pings_begin_at_a_random_point_and_go_on_regularly():
    connection = opened()
    assert connection.deadline == 101 + 18.75
    assert connection.tick(119) == []
    assert connection.tick(119.75) == [Say(p.Ping())]
    assert connection.deadline == 129.75
    ask(connection, p.Pong())
    assert connection.deadline == 144.75
    assert connection.tick(144.75) == [Say(p.Ping())]


def test_no_pong_in_time_closes():
    connection = opened()
    connection.tick(119.75)
    assert connection.tick(129.75) == [Close(OVER.NO_PONG)]


def test_a_pong_is_due_for_the_oldest_ping():
    connection = opened(ping_interval=2, pong_timeout=5)
    connection.tick(102.5)
    connection.tick(104.5)
    connection.tick(106.5)
    assert connection.deadline == 107.5
    assert connection.tick(107.5) == [Close(OVER.NO_PONG)]


def test_after_standing_still_pongs_get_a_little_more_time():
    connection = opened()
    connection.tick(119.75)
    assert connection.tick(135) == []
    assert connection.deadline == 135.5
    assert connection.tick(135.6) == [Close(OVER.NO_PONG)]


def test_after_standing_still_pings_do_not_pile_up():
    connection = opened()
    assert connection.tick(500) == [Say(p.Ping())]
    ask(connection, p.Pong())
    assert connection.deadline == 525


def test_a_pong_that_answers_nothing_is_ignored():
    assert ask(opened(), p.Pong(), p.Pong()) == []


# Refresh


def test_a_refresh_prolongs():
    connection = opened(ttl=60)
    assert ask(connection, p.Refresh(2, "t2")) == [Renew(2, "t2")]
    again = replace(PERSON, ttl=90, identity="newer")
    assert connection.renewed(2, again, 150) == [Say(p.Reply(2, p.RefreshResult("c1", "warmline", 90)))]
    assert connection.admission == again
    assert connection._expired_at == 150 + 90 + 25


def test_a_connection_that_is_not_refreshed_ends():
    connection = opened(ttl=1)
    connection.tick(119.75)
    ask(connection, p.Pong())
    assert connection.deadline == 101 + 1 + 25
    assert connection.tick(127) == [Close(OVER.EXPIRED)]


def test_a_refresh_for_another_person_closes():
    connection = opened(ttl=60)
    assert connection.renewed(2, replace(PERSON, person="another"), 150) == [Close(OVER.INVALID_TOKEN)]


@pytest.mark.parametrize(
    ("error", "close"), [(TokenExpired("x"), OVER.EXPIRED), (Unauthorized("x"), OVER.INVALID_TOKEN)]
)
def test_a_refresh_with_a_bad_token_closes(error: WarmlineError, close: p.CloseCode):
    assert opened(ttl=60).renewal_refused(2, error) == [Close(close)]


@pytest.mark.parametrize(("error", "code"), [(Unavailable("x"), 100), (TooMany("x"), 111), (Forbidden("x"), 100)])
def test_a_refresh_that_fails_may_be_tried_again(error: WarmlineError, code: int):
    (effect,) = opened(ttl=60).renewal_refused(2, error)
    assert isinstance(effect, Say)
    assert effect.message == p.Reply(2, p.Error(code, "x", True))


def test_a_refresh_that_nobody_asked_for_closes():
    assert ask(opened(), p.Refresh(2, "t")) == [Close(OVER.BAD_REQUEST)]


def test_the_outcome_of_a_refresh_after_the_end_is_dropped():
    connection = opened(ttl=60)
    connection.close(OVER.SHUTDOWN)
    assert connection.renewed(2, PERSON, 150) == []
    assert connection.renewal_refused(2, TokenExpired("x")) == []


# Refusals in the numbers of the wire


@pytest.mark.parametrize(
    ("error", "rpc", "subscribe", "temporary"),
    [
        (NotFound("x"), 404, 102, False),
        (Forbidden("x"), 403, 103, False),
        (Invalid("x"), 422, 107, False),
        (Conflict("x"), 409, 409, False),
        (TooMany("x"), 111, 111, True),
        (Unavailable("x"), 100, 100, True),
        (TokenExpired("x"), 109, 109, False),
    ],
)
def test_refusals(error: WarmlineError, rpc: int, subscribe: int, temporary: bool):
    assert as_error(error) == p.Error(rpc, "x", temporary)
    assert as_subscribe_error(error) == p.Error(subscribe, "x", temporary)


def test_a_refusal_without_words_gets_some():
    assert as_error(NotFound("")).message
    assert as_subscribe_error(NotFound("")).message


@pytest.mark.catalogue("S07")
def test_an_open_connection_ends_when_its_person_has_done_nothing_for_long():
    connection = fresh(ping_interval=10_000)
    connection.receive([p.Connect(1, "t")], 101)
    connection.admitted(replace(PERSON, idle=600, passive=frozenset({"look"})), 101)
    assert connection.deadline == 701
    assert connection.tick(700.9) == []
    ask(connection, p.Rpc(2, "look", b"{}"), p.Pong(), p.Subscribe(3, "ward"), now=400)
    assert connection.deadline == 701, "what a page does by itself is no sign of life"
    ask(connection, p.Rpc(4, "write", b"{}"), now=500)
    assert connection.deadline == 1100
    connection.renewed(5, replace(PERSON, idle=600), 900)
    assert connection.deadline == 1100, "nor is a new token"
    assert connection.tick(1100) == [Close(OVER.SIGNED_OUT)]
    assert connection.closed


def test_without_an_idle_limit_nobody_is_idle():
    connection = opened(ping_interval=10_000)
    ask(connection, p.Rpc(2, "write", b"{}"), now=200)
    assert connection.deadline > 5_000
