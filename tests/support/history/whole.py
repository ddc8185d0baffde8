"""K12 and K13: that the run meant something, and how soon sends were answered again."""

from collections import Counter
from collections.abc import Iterator

from tests.support.history.record import Event, Finding, History


def k12_not_vacuous(history: History) -> Iterator[Finding]:
    """Enough was sent, every planned fault took hold, and listeners really recovered."""
    plan, counted = history.plan, figures(history)
    for name, least in (("sends", plan.sends), ("recoveries", plan.recoveries), ("resets", plan.resets)):
        if counted[name] < least:
            yield Finding("K12", "the run", f"{counted[name]} {name}, at least {least} were planned")
    began, ended = _by_fault(history.of("fault.start")), _by_fault(history.of("fault.stop"))
    for fault, least in plan.faults.items():
        for did, count in (("happened", began[fault]), ("was healed", ended[fault])):
            if count < least:
                yield Finding("K12", fault, f"it {did} {count} times, at least {least} were planned")
    for event in history.of("fault.missed"):
        yield Finding("K12", event.fault, f"it did not take hold: {event.why}")
    if not history.log:
        yield Finding("K12", "the run", "the log was not read at the end")


def k13_availability(history: History) -> Iterator[Finding]:
    """After each fault, the next send is answered soon."""
    for event, took in answered_again(history):
        if took > history.plan.ok_within:
            yield Finding("K13", event.fault, f"no send was answered for {took:.1f} s after it was healed")


def answered_again(history: History) -> list[tuple[Event, float]]:
    """After each fault: seconds until the next answer; where nobody sent any more, nothing."""
    oks = [event.at for event in history.of("send.ok")]
    last = max((event.at for event in history.of("send.invoke")), default=0.0)
    found = []
    for event in history.of("fault.stop"):
        after = [at for at in oks if at > event.at]
        if after or last > event.at + history.plan.ok_within:
            found.append((event, (min(after) if after else last) - event.at))
    return found


def figures(history: History) -> dict[str, int]:
    """How much of everything the run contained."""
    carrying = {(one.client, one.channel, one.at) for one in _carrying(history)}
    lost = [event for event in history.of("sub.ok") if event.was and not event.recovered]
    return {
        "sends": sum(bool(send.oks) for send in history.sends.values()),
        "attempts": sum(send.attempts for send in history.sends.values()),
        "unknown": len(history.of("send.info")),
        "deliveries": len([event for event in history.of("deliver") if event.via != "history"]),
        "recoveries": len(carrying),
        "resets": len(history.of("reset")) + len(lost),
    }


def _carrying(history: History) -> Iterator[Event]:
    """Subscriptions that recovered something."""
    begun: dict[tuple[str, str], Event] = {}
    for event in history.of("sub.ok", "deliver"):
        place = event.client, event.channel
        if event.kind == "sub.ok":
            begun.pop(place, None)
            if event.recovered:
                begun[place] = event
        elif event.via == "recovered" and place in begun:
            yield begun.pop(place)


def _by_fault(events: list[Event]) -> Counter[str]:
    return Counter(event.fault for event in events)
