"""K1 to K6 and K11: what became of what was sent, and whether everybody saw one order of it."""

from collections import defaultdict
from collections.abc import Iterator

from tests.support.history.record import Event, Finding, History


def k1_lost(history: History) -> Iterator[Finding]:
    """Nothing that was acknowledged is missing, or stands elsewhere than was said."""
    lossy = history.broken(history.plan.loses) if history.plan.loses else []
    for send in history.sends.values():
        rows = history.written.get(send.key, [])
        for ok in send.oks:
            if any(start <= ok.at <= end for start, end in lossy):
                continue  # it may be gone, or have been sent anew since
            if not rows:
                yield Finding("K1", _at(ok), f"acknowledged at {ok.at:.3f} and not in the log")
            elif all((row.channel, row.message, row.offset) != (ok.channel, ok.message, ok.offset) for row in rows):
                found = rows[0]
                yield Finding(
                    "K1", _at(ok), f"acknowledged as {ok.message} at {ok.offset}, in the log as {found.message} at {found.offset}"
                )  # fmt: skip


def k2_phantom(history: History) -> Iterator[Finding]:
    """Nothing is in the log, or reached anybody, that nobody sent, that was refused, or that the log does not hold."""
    lossy = bool(history.plan.loses)
    for event in history.of("final", "deliver"):
        if event.key.startswith("~"):
            continue
        send = history.sends.get(event.key)
        if send is None:
            yield Finding("K2", _at(event), "nobody ever sent it")
        elif send.channel != event.channel:
            yield Finding("K2", _at(event), f"it was sent to {send.channel}")
        elif send.surely_not:
            yield Finding("K2", _at(event), "every attempt to send it was refused for good")
        elif event.at < send.invoked:
            yield Finding("K2", _at(event), "it was seen before it was sent")
        elif event.kind == "deliver" and history.log and event.key not in history.written and not lossy:
            yield Finding("K2", _at(event), f"{event.client} was given it, and it is not in the log")


def k3_duplicate(history: History) -> Iterator[Finding]:
    """No key stands in the log twice."""
    for key, rows in history.written.items():
        if len(rows) > 1:
            places = ", ".join(f"{row.offset} ({row.message})" for row in rows)
            yield Finding("K3", f"{rows[0].channel} {key}", f"it stands in the log {len(rows)} times, at {places}")


def k4_holes(history: History) -> Iterator[Finding]:
    """The offsets of each channel are 1, 2, 3 … in an epoch."""
    for channel, rows in history.log.items():
        expected = 1
        for row in rows:
            if row.offset != expected:
                what = "given twice" if row.offset < expected else f"missing before {row.offset}"
                yield Finding("K4", channel, f"offset {min(expected, row.offset)} is {what}")
            expected = row.offset + 1


def k5_order(history: History) -> Iterator[Finding]:
    """Whoever saw an offset of an epoch saw the same thing there, also where the database lost its tail: then there are two."""
    seen: dict[tuple[str, str, int], Event] = {}
    for event in sorted(history.of("final", "deliver"), key=lambda event: event.via != "sql"):
        if not event.offset or event.key == "~void":
            continue
        first = seen.setdefault((event.channel, event.epoch, event.offset), event)
        if first.key != event.key or (first.message and event.message and first.message != event.message):
            yield Finding(
                "K5",
                f"{event.channel} offset {event.offset}",
                f"{_observer(first)} saw {_what(first)} there and {_observer(event)} saw {_what(event)}",
            )


def k6_real_time(history: History) -> Iterator[Finding]:
    """What was acknowledged before another send began stands before it."""
    by_channel: dict[str, list[tuple[float, int, str]]] = defaultdict(list)
    begun: dict[str, list[tuple[float, int, str]]] = defaultdict(list)
    for send in history.sends.values():
        rows = history.written.get(send.key, [])
        if len(rows) == 1:
            begun[send.channel].append((send.invoked, rows[0].offset, send.key))
            oks = [ok.at for ok in send.oks if (ok.offset, ok.message) == (rows[0].offset, rows[0].message)]
            if oks:
                by_channel[send.channel].append((min(oks), rows[0].offset, send.key))
    for channel, later in begun.items():
        answered = sorted(by_channel[channel])
        highest, place = (0.0, 0, ""), 0
        for invoked, offset, key in sorted(later):
            while place < len(answered) and answered[place][0] < invoked:
                highest, place = max(highest, answered[place], key=lambda one: one[1]), place + 1
            if highest[1] > offset:
                at, where, earlier = highest
                yield Finding(
                    "K6", f"{channel} {key}",
                    f"it began at {invoked:.3f} and stands at {offset}, before {earlier} at {where}, answered at {at:.3f}",
                )  # fmt: skip


def k11_indeterminate(history: History) -> Iterator[Finding]:
    """Whatever was heard of a send, it is there once or not at all, and every answer to its key is the same."""
    for send in history.sends.values():
        answers = {(ok.message, ok.offset) for ok in send.oks}
        if len(answers) > 1 and not history.plan.loses:
            yield Finding(
                "K11", f"{send.channel} {send.key}", f"its retries were answered differently: {sorted(answers)}"
            )
        rows = history.written.get(send.key, [])
        if len(rows) > 1 and len(send.oks) < send.attempts:
            yield Finding(
                "K11",
                f"{send.channel} {send.key}",
                f"it was sent {send.attempts} times and is there {len(rows)} times",
            )


def _at(event: Event) -> str:
    return f"{event.channel} {event.key}"


def _observer(event: Event) -> str:
    if event.kind == "final":
        return "the log" if event.via == "sql" else f"the history of {event.gateway}"
    return f"{event.client} ({event.via})"


def _what(event: Event) -> str:
    return f"{event.key} ({event.message})" if event.message else event.key
