"""Whether some order explains what was observed: of operations that ran at the same time, one after the other must come to the
same results and to the same end (domain.md's rules know no halves)."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.property import channels, moving, people
from tests.property.situation import ANY, Channel, Clinic, Seat
from tests.property.verdicts import Outcome, Step

RULES: dict[str, Callable[[Clinic, Step], list[Outcome]]] = {
    **{rule.__name__: rule for rule in (moving.leave, moving.remove, moving.add, moving.read)},
    **{
        rule.__name__: rule
        for rule in (people.preview, people.request, people.work, people.refuse, people.lift, people.return_staff)
    },
    **{rule.__name__: rule for rule in (people.reassign, people.archive_patient, people.unarchive_patient)},
    **{rule.__name__: rule for rule in (people.set_rule, people.set_net, people.set_cohort, people.create_patient)},
    "archive_channel": channels.archive,
    "unarchive_channel": channels.unarchive,
    **{rule.__name__: rule for rule in (channels.facilitate, channels.activate, channels.activation)},
}
_MOST = 40_000
"""Steps tried before it is given up, as unexplained."""


@dataclass
class Search:
    """Looks for an order of several lines of steps, each line in its own order."""

    lines: Sequence[Sequence[Step]]
    end: Clinic
    tried: int = 0
    closest: list[str] = field(default_factory=lambda: ["no order gives these results"])
    vain: dict[tuple[int, ...], list[Clinic]] = field(default_factory=lambda: defaultdict(list))
    """By how much of each line is done: situations from which nothing goes on. Whatever order led there, it is one."""

    def order(self, start: Clinic) -> list[tuple[Step, Outcome]] | None:
        """An order that explains it, or None; `closest` then says what the nearest end lacks."""
        return self._from(start, tuple(0 for _ in self.lines))

    def _from(self, clinic: Clinic, done: tuple[int, ...]) -> list[tuple[Step, Outcome]] | None:
        if all(count == len(line) for count, line in zip(done, self.lines, strict=True)):
            lacking = differences(clinic, self.end)
            if lacking and (len(lacking) < len(self.closest) or self.closest[0].startswith("no order")):
                self.closest = lacking
            return None if lacking else []
        if clinic in self.vain[done]:
            return None
        for number, line in enumerate(self.lines):
            if done[number] == len(line) or self.tried > _MOST:
                continue
            self.tried += 1
            step = line[done[number]]
            for outcome in RULES[step.verb](clinic, step):
                if step.result in (None, outcome.result):
                    further = (*done[:number], done[number] + 1, *done[number + 1 :])
                    rest = self._from(outcome.after, further)
                    if rest is not None:
                        return [(step, outcome), *rest]
        self.vain[done].append(clinic)
        return None


def differences(expected: Clinic, found: Clinic) -> list[str]:
    """In what two situations differ, a line each; what the rules leave open is equal to anything."""
    said = [
        f"{what}: expected {one!r}, found {other!r}"
        for what, one, other in (
            ("staff", expected.staff, found.staff),
            ("patients", expected.patients, found.patients),
            ("rules", expected.rules, found.rules),
            ("patient groups", expected.cohorts, found.cohorts),
            ("safety net", expected.net, found.net),
            ("pending", sorted(expected.requests), sorted(found.requests)),
            ("channels", sorted(expected.channels), sorted(found.channels)),
        )
        if one != other
    ]
    for key in expected.channels.keys() & found.channels.keys():
        said += [f"{key}: {line}" for line in _in_channel(expected.channels[key], found.channels[key])]
    return said


def _in_channel(expected: Channel, found: Channel) -> list[str]:
    said = []
    if (expected.status, expected.facilitator) != (found.status, found.facilitator):
        said.append(f"expected {expected.status}, {expected.facilitator}; found {found.status}, {found.facilitator}")
    if expected.seats.keys() != found.seats.keys():
        said.append(f"expected {sorted(expected.seats)} in it, found {sorted(found.seats)}")
    for who in expected.seats.keys() & found.seats.keys():
        if not _same_seat(expected.seats[who], found.seats[who]):
            said.append(f"{who}: expected {expected.seats[who]}, found {found.seats[who]}")
    return said


def _same_seat(expected: Seat, found: Seat) -> bool:
    def same(wanted: int | None, there: int | None) -> bool:
        return wanted == ANY or there == (found.since if wanted is None else wanted)

    return (
        expected.since in (ANY, found.since)
        and same(expected.read, found.read)
        and same(expected.floor, found.floor)
        and (expected.since != ANY or expected.source in ("", found.source))
    )
