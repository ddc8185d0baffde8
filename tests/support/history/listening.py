"""K7 to K10: what each listener was given: a run without gap or repeat, to the top, and nothing that is not theirs."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.history.record import Event, Finding, History

TOLD_WITHIN = 2.0
"""Seconds from the answer to a removal until nothing of the channel reaches the removed (G7)."""


@dataclass
class _Standing:
    """One client in one channel."""

    epoch: str = ""
    position: int = 0
    live: bool = False
    gone: bool = False
    """It was ended for good, and not begun anew."""
    begun: Event | None = None
    """The subscription, while nothing has come after it."""
    reached: float = 0.0
    """When it came to this position."""
    since: float = 0.0
    """When it first listened."""


def _walk(history: History) -> tuple[list[Finding], dict[tuple[str, str], _Standing]]:
    """K7 and K8, and where everybody stands at the end."""
    standing: dict[tuple[str, str], _Standing] = defaultdict(_Standing)
    found: list[Finding] = []
    for event in history.of("sub.ok", "deliver", "reset", "ended", "closed"):
        if event.kind == "closed":
            for (client, _), one in standing.items():
                one.live &= client != event.client
            continue
        one = standing[event.client, event.channel]
        if event.kind == "sub.ok":
            found += _subscribed(one, event)
        elif event.kind == "deliver":
            if event.via != "history" and event.offset:
                found += _delivered(one, event)
        else:
            one.live, one.gone = False, event.kind == "ended"
    return found, standing


def _subscribed(one: _Standing, event: Event) -> Iterator[Finding]:
    where = f"{event.client} in {event.channel}"
    if event.asked is not None:
        epoch, offset = event.asked
        if not event.was:
            yield Finding("K7", where, f"asked to go on from {offset}, it was answered as if it had asked for nothing")
        if event.recovered and epoch and event.epoch != epoch:
            yield Finding("K8", where, f"recovered, though its position was of epoch {epoch} and this is {event.epoch}")
        if event.recovered and offset and event.offset != offset:
            yield Finding("K8", where, f"recovered from {event.offset}, though it asked to go on from {offset}")
    elif event.recovered:
        yield Finding("K8", where, "recovered, though it had not asked for that")
    one.epoch, one.position, one.live, one.gone, one.begun = event.epoch, event.offset, True, False, event
    one.reached, one.since = event.at, one.since or event.at


def _delivered(one: _Standing, event: Event) -> Iterator[Finding]:
    where = f"{event.client} in {event.channel} at {event.at:.3f}"
    begun, one.begun = one.begun, None
    if not one.live:
        yield Finding("K7", where, f"offset {event.offset} came though no subscription stood")
    elif event.offset != one.position + 1:
        says = (
            f"offset {event.offset} came again, after {one.position}"
            if event.offset <= one.position
            else f"offset {event.offset} came after {one.position}: {event.offset - one.position - 1} missing"
        )
        yield Finding("K7", where, says)
        if event.via == "recovered" or (begun is not None and begun.recovered):
            yield Finding("K8", where, f"it was told that nothing is missing; then {says}")
    one.position, one.reached = event.offset, event.at


def k7_stream(history: History) -> Iterator[Finding]:
    """Between resets a listener gets each offset once, in order."""
    yield from (finding for finding in _walk(history)[0] if finding.check == "K7")


def k8_false_recovery(history: History) -> Iterator[Finding]:
    """Who is told `recovered` misses nothing."""
    yield from (finding for finding in _walk(history)[0] if finding.check == "K8")


def k9_convergence(history: History) -> Iterator[Finding]:
    """After healing, everybody who listens arrives at the top."""
    healed = history.of("healed")
    if not healed:
        yield Finding("K9", "the run", "it was never healed, so nothing shows that anybody arrived")
        return
    for (client, channel), one in _walk(history)[1].items():
        rows = history.log.get(channel, [])
        if one.gone or not rows:
            continue
        if not one.live:
            yield Finding(
                "K9", f"{client} in {channel}", f"no subscription stood at the end; it had come to {one.position}"
            )
        elif one.position < rows[-1].offset:
            yield Finding("K9", f"{client} in {channel}", f"it stands at {one.position}, the top is {rows[-1].offset}")
        elif (late := one.reached - max(healed[-1].at, one.since)) > history.plan.reaches:
            yield Finding("K9", f"{client} in {channel}", f"it came to the top {late:.1f} s after healing")


def k10_authorization(history: History) -> Iterator[Finding]:
    """Nothing of a channel reaches who was removed from it, nor anybody of another organisation.

    What stands behind the removal in the log never does; what stands before it may be late while something is broken.
    """
    broken = history.broken()
    home = {event.channel or event.person: event.organization for event in history.of("person", "channel")}
    changes: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in history.of("member.add", "member.remove"):
        changes[event.person, event.channel].append(event)
    for event in history.of("deliver"):
        where = f"{event.client} in {event.channel}"
        ours, theirs = home.get(event.person), home.get(event.channel)
        if ours is not None and theirs is not None and ours != theirs:
            yield Finding("K10", where, f"{event.person} of {ours} was given offset {event.offset} of {theirs}")
        for removal, back in _absences(changes[event.person, event.channel]):
            if event.at >= back:
                continue
            if removal.offset and event.offset >= removal.offset:
                yield Finding(
                    "K10", where, f"offset {event.offset} came, though the membership ended at {removal.offset}"
                )
            elif event.at > removal.at + TOLD_WITHIN and not any(
                start <= event.at and removal.at <= end + TOLD_WITHIN for start, end in broken
            ):
                late = event.at - removal.at
                yield Finding("K10", where, f"offset {event.offset} came {late:.1f} s after the removal")


def _absences(changes: list[Event]) -> Iterator[tuple[Event, float]]:
    """Each removal, and when it was asked that the person come back."""
    for place, removal in enumerate(changes):
        if removal.kind == "member.remove":
            yield removal, min((one.since for one in changes[place:] if one.kind == "member.add"), default=float("inf"))
