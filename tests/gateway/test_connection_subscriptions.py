"""The state machine of one connection: its subscriptions."""

from server.gateway import protocol as p
from server.gateway.effects import Begin, Close, Leave, Say
from server.gateway.interests import MAX_JOINED
from tests.gateway.machine import OVER, ask, codes, opened


def stands(offset: int = 0, *publications: int) -> p.SubscribeResult:
    return p.SubscribeResult(True, "e", offset, publications=tuple(p.Publication(b"{}", o) for o in publications))


def test_a_subscription_from_begin_to_end():
    connection = opened()
    wish = p.Subscribe(2, "c", True, "e", 5)
    assert ask(connection, wish) == [Begin("c")]
    assert connection.wish("c") == wish
    result = stands(5, 6, 7)
    assert connection.subscribed("c", result, 103) == [Say(p.Reply(2, result))]
    assert connection.wish("c") is None
    assert connection.ended("c", p.EndCode.REMOVED) == [Say(p.End("c", p.EndCode.REMOVED))]
    assert connection.ended("c", p.EndCode.REMOVED) == []
    assert ask(connection, p.Subscribe(3, "c")) == [Begin("c")]


def test_a_subscription_that_is_denied():
    connection = opened()
    ask(connection, p.Subscribe(2, "c"))
    assert codes(list(connection.denied("c", p.Error(102, "unknown channel")))) == [102]
    assert connection.wish("c") is None


def test_names():
    connection = opened()
    assert codes(ask(connection, p.Subscribe(2, "x" * 256), p.Subscribe(3, "ü" * 128))) == [107, 107]
    assert ask(connection, p.Subscribe(4, "x" * 255)) == [Begin("x" * 255)]
    assert codes(ask(connection, p.Subscribe(5, "#person"))) == [105]
    assert ask(connection, p.Subscribe(6, "")) == [Close(OVER.BAD_REQUEST)]


def test_so_many_and_no_more():
    connection = opened(max_subscriptions=2)
    assert len(ask(connection, p.Subscribe(2, "a"), p.Subscribe(3, "b"))) == 2
    assert codes(ask(connection, p.Subscribe(4, "c"))) == [106]
    ask(connection, p.Unsubscribe(5, "a"))
    assert ask(connection, p.Subscribe(6, "c")) == [Begin("c")]


def test_an_overlapping_subscribe_with_the_same_wish_joins():
    connection = opened()
    ask(connection, p.Subscribe(2, "c", True, "e", 5))
    assert ask(connection, p.Subscribe(3, "c", True, "e", 5, flag=1)) == []
    assert connection.subscribed("c", stands(5, 6, 7), 103) == [
        Say(p.Reply(3, stands(5, 6, 7))),
        Say(p.Reply(2, stands(7))),
    ]


def test_an_overlapping_subscribe_with_another_wish_replaces():
    connection = opened()
    ask(connection, p.Subscribe(2, "c", True, "e", 5))
    assert ask(connection, p.Subscribe(3, "c")) == [Leave("c"), Begin("c")]
    assert connection.wish("c") == p.Subscribe(3, "c")
    assert connection.subscribed("c", stands(9), 103) == [Say(p.Reply(3, stands(9))), Say(p.Reply(2, stands(9)))]


def test_overlapping_does_not_go_on_for_ever():
    connection = opened()
    ask(connection, *(p.Subscribe(number, "c") for number in range(2, 3 + MAX_JOINED)))
    assert codes(ask(connection, p.Subscribe(99, "c"))) == [111]
    assert len(connection.denied("c", p.Error(102, "x"))) == MAX_JOINED + 1


def test_a_second_subscribe_is_an_error():
    connection = opened()
    ask(connection, p.Subscribe(2, "c"))
    connection.subscribed("c", stands(), 103)
    assert codes(ask(connection, p.Subscribe(3, "c"), now=104)) == [105]


def test_a_second_subscribe_after_a_late_answer_begins_anew():
    """The client gave up after five seconds and asks again; our answer to the first is on its way to nobody."""
    connection = opened()
    ask(connection, p.Subscribe(2, "c"), now=102)
    connection.subscribed("c", stands(), 107.1)
    assert ask(connection, p.Subscribe(3, "c"), now=107.2) == [Leave("c"), Begin("c")]
    connection.subscribed("c", stands(), 112.2)
    assert codes(ask(connection, p.Subscribe(4, "c"), now=130)) == [105]


def test_unsubscribe_always_succeeds():
    connection = opened()
    done = [Say(p.Reply(9, p.UnsubscribeResult()))]
    assert ask(connection, p.Unsubscribe(9, "never")) == done
    assert ask(connection, p.Unsubscribe(9, "")) == done
    assert ask(connection, p.Unsubscribe(9, "#person")) == done
    ask(connection, p.Subscribe(2, "c"))
    connection.subscribed("c", stands(), 103)
    assert ask(connection, p.Unsubscribe(9, "c")) == [Leave("c"), *done]
    assert ask(connection, p.Unsubscribe(9, "c")) == done


def test_unsubscribe_overtakes_a_subscribe():
    connection = opened()
    ask(connection, p.Subscribe(2, "c"), p.Subscribe(3, "c"))
    leave, *replies, done = ask(connection, p.Unsubscribe(9, "c"))
    assert leave == Leave("c")
    assert codes(replies) == [100, 100]
    assert done == Say(p.Reply(9, p.UnsubscribeResult()))
    assert connection.wish("c") is None


def lasting(ttl: int) -> p.SubscribeResult:
    return p.SubscribeResult(True, "e", ttl=ttl)


def test_a_subscription_whose_token_ends_is_over_after_its_grace():
    connection = opened(refresh_grace=5, ping_interval=1_000)
    ask(connection, p.Subscribe(2, "a"), p.Subscribe(3, "b"), p.Subscribe(4, "c"))
    for channel, ttl in (("a", 10), ("b", 20), ("c", 0)):
        assert connection.subscribed(channel, lasting(ttl), 102) == [
            Say(p.Reply({"a": 2, "b": 3, "c": 4}[channel], lasting(ttl)))
        ]
    assert connection.deadline == 117
    assert connection.tick(116.9) == []
    assert connection.tick(117) == [Leave("a"), Say(p.End("a", p.EndCode.EXPIRED))]
    assert (connection.stands("a"), connection.stands("b")) == (False, True)
    connection.extended("b", 100, 120)
    assert connection.deadline == 225
    connection.extended("b", 0, 120)
    assert connection.deadline > 1_000_000 or connection.deadline == connection._ping_at
    assert connection.lapsed("a") == []


def test_a_subscription_that_is_over_lapses_no_more():
    connection = opened(refresh_grace=5, ping_interval=1_000)
    ask(connection, p.Subscribe(2, "a"))
    connection.subscribed("a", lasting(10), 102)
    ask(connection, p.Unsubscribe(3, "a"))
    assert connection.tick(130) == []


def test_who_overlapped_learns_when_it_ends_too():
    connection = opened()
    ask(connection, p.Subscribe(2, "a"), p.Subscribe(3, "a"))
    assert connection.subscribed("a", lasting(9), 102) == [
        Say(p.Reply(3, lasting(9))),
        Say(p.Reply(2, lasting(9))),
    ]


def test_another_token_is_another_wish():
    connection = opened()
    ask(connection, p.Subscribe(2, "a", token="t"))
    assert ask(connection, p.Subscribe(3, "a", token="u")) == [Leave("a"), Begin("a")]
