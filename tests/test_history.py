"""The history checker itself: a good run is found good, and each wrong one is found by the check that is there for it."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.history import CHECKS, Event, History, check, findings
from tests.support.history.whole import answered_again, figures

CHANNEL = "ch_a"
PLAN = {"sends": 4, "recoveries": 1, "resets": 0, "faults": {"kill": 1}, "ok_within": 3.0}


def good() -> Iterator[Event]:
    """Ann writes m1 to m4 (m3 needs two attempts), Ben listens, is cut off after m2 and recovers; Cem is removed at 4."""
    yield Event(0.0, "plan", plan=PLAN)
    for who in ("ann", "ben", "cem"):
        yield Event(0.0, "person", person=who, organization="org")
    yield Event(0.0, "channel", channel=CHANNEL, organization="org")
    for who in ("ben", "cem"):
        yield Event(0.1, "sub.ok", channel=CHANNEL, client=who, person=who, epoch="e", offset=1)
    yield from sent(1.0, "m1", 2)
    yield from sent(2.0, "m2", 3)
    for offset in (2, 3):
        for who in ("ben", "cem"):
            yield given(2.5 + offset / 100, who, offset, f"m{offset - 1}")
    yield Event(3.0, "fault.start", fault="kill")
    yield Event(3.0, "closed", client="ben")
    yield Event(3.05, "member.remove", channel=CHANNEL, person="cem", offset=4, since=3.01)
    yield Event(3.06, "ended", channel=CHANNEL, client="cem")
    yield Event(3.1, "send.invoke", channel=CHANNEL, key="m3")
    yield Event(3.2, "send.info", channel=CHANNEL, key="m3", why="lost")
    yield Event(4.0, "fault.stop", fault="kill")
    yield from sent(4.1, "m3", 5)
    yield Event(4.5, "sub.ok", channel=CHANNEL, client="ben", person="ben", epoch="e", offset=3, was=True, recovered=True,
                asked=("e", 3))  # fmt: skip
    yield given(4.5, "ben", 4, "~left", via="recovered")
    yield given(4.5, "ben", 5, "m3", via="recovered")
    yield from sent(5.0, "m4", 6)
    yield given(5.2, "ben", 6, "m4")
    yield given(5.3, "ben", 2, "m1", via="history")
    yield Event(6.0, "healed")
    for via, gateway in (("sql", ""), ("history", "a")):
        for offset, key in enumerate(("~opened", "m1", "m2", "~left", "m3", "m4"), 1):
            message = "" if key.startswith("~") else f"id-{key}"
            yield Event(7.0, "final", channel=CHANNEL, epoch="e", offset=offset, key=key, message=message, via=via,
                        gateway=gateway)  # fmt: skip


def sent(at: float, key: str, offset: int) -> Iterator[Event]:
    yield Event(at, "send.invoke", channel=CHANNEL, key=key)
    yield Event(at + 0.1, "send.ok", channel=CHANNEL, key=key, message=f"id-{key}", offset=offset)


def given(at: float, who: str, offset: int, key: str, via: str = "live") -> Event:
    message = "" if key.startswith("~") else f"id-{key}"
    return Event(at, "deliver", channel=CHANNEL, client=who, person=who, epoch="e", offset=offset, key=key,
                 message=message, via=via)  # fmt: skip


Events = list[Event]
Change = Callable[[Events], Events]


def without(**which: Any) -> Change:
    return lambda events: [event for event in events if not matches(event, which)]


def but(change: dict[str, Any], **which: Any) -> Change:
    """The same history, with something else in the events that match."""

    def changed(events: Events) -> Events:
        assert any(matches(event, which) for event in events)
        return [dataclasses.replace(event, **change) if matches(event, which) else event for event in events]

    return changed


def plus(*more: Event) -> Change:
    return lambda events: [*events, *more]


def all_of(*changes: Change) -> Change:
    def changed(events: Events) -> Events:
        for change in changes:
            events = change(events)
        return events

    return changed


def matches(event: Event, which: dict[str, Any]) -> bool:
    return all(getattr(event, name) == value for name, value in which.items())


def planned(**other: Any) -> Change:
    return but({"plan": PLAN | other}, kind="plan")


def final(offset: int, key: str, **more: Any) -> Event:
    return Event(7.0, "final", channel=CHANNEL, epoch="e", offset=offset, key=key, via="sql", **more)


STRANGER = Event(
    4.6, "deliver", channel=CHANNEL, client="dan", person="dan", epoch="e", offset=5, key="m3", via="history"
)

BAD: list[tuple[str, str, Change]] = [
    ("K1", "not in the log", without(kind="final", key="m4")),
    ("K1", "in the log as id-m2 at 9", but({"offset": 9}, kind="final", key="m2")),
    ("K1", "in the log as other", but({"message": "other"}, kind="final", key="m2")),
    ("K2", "nobody ever sent it", plus(final(7, "m9", message="id-m9"))),
    ("K2", "refused for good", all_of(but({"kind": "send.fail"}, kind="send.ok", key="m4"))),
    ("K2", "not in the log", plus(Event(0.5, "send.invoke", channel=CHANNEL, key="m0"), given(5.5, "ben", 7, "m0"))),
    ("K2", "it was sent to ch_b", plus(*(dataclasses.replace(event, key="n", channel="ch_b") for event in sent(1, "n", 1)),
                                       given(5.5, "ben", 7, "n"))),
    ("K2", "before it was sent", but({"at": 0.9}, kind="deliver", key="m1", client="ben", via="live")),
    ("K3", "2 times, at 2 (id-m1), 7 (again)", plus(final(7, "m1", message="again"))),
    ("K4", "offset 3 is missing before 4", without(kind="final", key="m2", via="sql")),
    ("K4", "offset 6 is given twice", plus(final(6, "~seen"))),
    ("K4", "offset 1 is missing", without(kind="final", offset=1)),
    ("K5", "ben (live) saw m2", but({"key": "m2", "message": "id-m2"}, kind="deliver", client="ben", key="m1", via="live")),
    ("K5", "the history of a saw m2", but({"key": "m2", "message": "id-m2"}, kind="final", key="m1", via="history")),
    ("K5", "ben (recovered) saw m3 (other)", but({"message": "other"}, kind="deliver", key="m3", client="ben")),
    ("K6", "before m2 at 3", all_of(but({"at": 0.95}, kind="send.invoke", key="m2"),
                                    but({"at": 0.97}, kind="send.ok", key="m2"))),
    ("K7", "offset 3 came after 1: 1 missing", without(kind="deliver", offset=2, client="ben", via="live")),
    ("K7", "offset 6 came again", plus(given(5.4, "ben", 6, "m4"))),
    ("K7", "came again, after 6", plus(given(5.4, "ben", 3, "m2"))),
    ("K7", "no subscription stood", plus(given(3.5, "ben", 4, "~left"))),
    ("K7", "as if it had asked for nothing", but({"was": False, "recovered": False}, kind="sub.ok", was=True)),
    ("K8", "then offset 5 came after 3: 1 missing", without(kind="deliver", offset=4)),
    ("K8", "then offset 6 came after 3", without(kind="deliver", via="recovered")),
    ("K8", "of epoch e and this is f", but({"epoch": "f"}, kind="sub.ok", was=True)),
    ("K8", "recovered from 4, though it asked to go on from 3", but({"offset": 4}, kind="sub.ok", was=True)),
    ("K8", "had not asked", but({"recovered": True}, kind="sub.ok", client="ben", was=False)),
    ("K9", "it stands at 5, the top is 6", without(kind="deliver", offset=6)),
    ("K9", "14.0 s after healing", but({"at": 20.0}, kind="deliver", offset=6)),
    ("K9", "no subscription stood at the end; it had come to 6", plus(Event(5.9, "closed", client="ben"))),
    ("K9", "never healed", without(kind="healed")),
    ("K10", "though the membership ended at 4", plus(given(3.06, "cem", 5, "m3"))),
    ("K10", "3.0 s after the removal", all_of(but({"at": 3.01}, kind="fault.start"), but({"at": 3.02}, kind="fault.stop"),
                                              but({"at": 5.05}, kind="member.remove"),
                                              plus(given(8.05, "cem", 3, "m2", via="history")))),
    ("K10", "dan of elsewhere was given", plus(Event(0.0, "person", person="dan", organization="elsewhere"), STRANGER)),
    ("K11", "answered differently", plus(Event(5.5, "send.ok", channel=CHANNEL, key="m3", message="id-m3", offset=9))),
    ("K11", "sent 2 times and is there 2 times", plus(final(7, "m3", message="again"))),
    ("K12", "4 sends, at least 5", planned(sends=5)),
    ("K12", "1 recoveries, at least 2", planned(recoveries=2)),
    ("K12", "0 recoveries", but({"via": "live"}, kind="deliver", via="recovered")),
    ("K12", "0 resets, at least 1", planned(resets=1)),
    ("K12", "it happened 1 times, at least 2", planned(faults={"kill": 2})),
    ("K12", "it was healed 0 times", without(kind="fault.stop")),
    ("K12", "did not take hold: it was dead already", plus(Event(5.0, "fault.missed", fault="kill", why="it was dead already"))),
    ("K12", "not read at the end", without(kind="final")),
    ("K13", "no send was answered for 3.2 s", all_of(planned(ok_within=1.5), but({"at": 7.2}, kind="send.ok", key="m3"),
                                                     but({"at": 7.3}, kind="send.ok", key="m4"))),
    ("K13", "no send was answered", all_of(without(kind="send.ok", key="m3"), without(kind="send.ok", key="m4"),
                                           plus(Event(9.5, "send.invoke", channel=CHANNEL, key="m5")))),
]  # fmt: skip


def test_a_good_run_is_found_good() -> None:
    history = History(good())
    assert findings(history) == []
    assert figures(history) == {
        "sends": 4, "attempts": 5, "unknown": 1, "deliveries": 7, "recoveries": 1, "resets": 0,
    }  # fmt: skip
    assert [(event.fault, round(took, 3)) for event, took in answered_again(history)] == [("kill", 0.2)]


@pytest.mark.parametrize(("name", "says", "change"), BAD, ids=[f"{name} {says}" for name, says, _ in BAD])
def test_a_bad_run_is_found_bad_and_said_why(name: str, says: str, change: Change) -> None:
    found = check(History(change(list(good()))))[name]
    assert any(says in str(one) for one in found), [str(one) for one in found]


def test_every_check_is_shown_to_find_something() -> None:
    assert {name for name, *_ in BAD} == set(CHECKS)


FINE: list[Change] = [
    # A removed member who is added again sees the channel again.
    plus(Event(6.2, "member.add", channel=CHANNEL, person="cem", since=6.1, offset=7), final(7, "~joined"),
         given(6.3, "cem", 5, "m3", via="history"), given(6.3, "ben", 7, "~joined")),
    # An honest reset: told so, and begun anew.
    plus(Event(5.4, "reset", channel=CHANNEL, client="ben"),
         Event(5.5, "sub.ok", channel=CHANNEL, client="ben", person="ben", epoch="f", offset=6, was=True, asked=("e", 6))),
    # A database that lost its tail: what was acknowledged in that time may be gone, when the plan says so.
    all_of(planned(loses=("standby",), sends=3),
           plus(Event(4.9, "fault.start", fault="standby"), Event(5.9, "fault.stop", fault="standby")),
           without(kind="final", key="m4")),
    # The same, and what was lost was sent again later and came to stand where it had stood.
    all_of(planned(loses=("standby",)),
           but({"at": 0.95}, kind="send.invoke", key="m3"), but({"at": 0.96, "message": "lost"}, kind="send.ok", key="m3"),
           but({"kind": "fault.start", "fault": "standby", "at": 0.9}, kind="healed"),
           plus(Event(0.99, "fault.stop", fault="standby"), Event(6.0, "healed"),
                *sent(4.1, "m3", 5))),
    # An unknown outcome that was not done after all, and a void at an offset where others see something.
    all_of(without(kind="deliver", client="cem"), plus(Event(5.0, "send.invoke", channel=CHANNEL, key="m7"),
           Event(5.1, "send.info", channel=CHANNEL, key="m7"), given(2.6, "cem", 2, "~void"))),
]  # fmt: skip


@pytest.mark.parametrize("change", FINE)
def test_what_may_happen_is_not_found_bad(change: Change) -> None:
    assert [str(one) for one in findings(History(change(list(good()))))] == []


def test_a_history_is_written_and_read_as_it_was() -> None:
    events = list(good())
    text = "\n".join(event.line() for event in events)
    assert History.read(text).events == History(events).events
    with pytest.raises(ValueError, match="not an event"):
        History.read('{"at": 1, "kind": "send.ok", "colour": "red"}')
    with pytest.raises(ValueError, match="not an event"):
        History.read("[]")
