"""Chooses what happens next: at random, but of several proposals the one that shows what was seen least so far."""

from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from tests.property.chain import archivings
from tests.property.expected import wanted
from tests.property.founding import OFFICE
from tests.property.serial import RULES
from tests.property.situation import ACTIVE, ARCHIVED, CARE, GROUP, PENDING, SERVICE, Clinic, own
from tests.property.verdicts import Step

PROPOSALS = 6


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that somebody does."""

    verb: str
    actor: str
    facts: dict[str, Any] = field(default_factory=dict)


class Chooser:
    """Proposes deeds for a clinic as it stands."""

    def __init__(self, rng: Random, seen: Counter[str]) -> None:
        self._rng, self._seen = rng, seen

    def several(self, clinic: Clinic, count: int, new_patient: str) -> list[Deed]:
        """What happens at the same time; around an archiving, sometimes what may cross it."""
        deeds: list[Deed] = []
        while len(deeds) < count:
            deeds.append(self.one(clinic, new_patient, [deed.verb for deed in deeds]))
            if deeds[-1].verb == "archive" and len(deeds) < count:
                follows = self._rng.choice((self._heir, self._caught, self._nothing))
                deeds += follows(clinic, deeds[-1])
        return deeds

    def one(self, clinic: Clinic, new_patient: str, others: list[str]) -> Deed:
        """Any proposal, or the best of a few."""
        proposed: list[Deed] = []
        count = self._rng.choice((1, 1, PROPOSALS))
        while len(proposed) < count:
            verb = self._rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
            made = getattr(self, f"_{verb}")(clinic)
            if made is not None and not (verb == "create_patient" and verb in others):
                proposed.append(made)
        for deed in proposed:
            deed.facts.setdefault("name", new_patient)
        return max(proposed, key=lambda deed: (self._rarity(clinic, deed), self._rng.random()))

    def _rarity(self, clinic: Clinic, deed: Deed) -> float:
        if deed.verb == "archive":
            ways = archivings(clinic, deed.facts["person"], deed.facts["successor"])
            counts = [label for _, _, used in ways for label in used]
            counts += ["request: nobody"] * bool(ways[0][0].unstaffed) + ["work: moved"]
        elif deed.verb in RULES and deed.verb != "create_patient":
            outcomes = RULES[deed.verb](clinic, Step(deed.verb, deed.actor, deed.facts))
            counts = list(outcomes[0].counts)
        else:
            counts = []
        return sum(1 / (1 + self._seen[label]) for label in counts if wanted(label))

    def _heir(self, clinic: Clinic, deed: Deed) -> list[Deed]:
        """Whoever is to take over is archived as well, the successor above all."""
        plan = archivings(clinic, deed.facts["person"], deed.facts["successor"])[0][0]
        heirs = sorted({heir for _, people in plan.handovers for heir in people})
        heirs = [deed.facts["successor"]] if deed.facts["successor"] and self._rng.random() < 0.7 else heirs
        if not heirs:
            return []
        return [Deed("archive", OFFICE, {"person": self._rng.choice(heirs), "successor": None, "looks": True})]

    def _caught(self, clinic: Clinic, deed: Deed) -> list[Deed]:
        """Others count on whoever is just being archived."""
        person = deed.facts["person"]
        leaving = replace(clinic, staff=clinic.staff | {person: PENDING})
        caught = []
        for propose, whom in ((self._add, "person"), (self._leave, "instead"), (self._reassign, "clinician")):
            for made in (propose(clinic) for _ in range(PROPOSALS)):
                facts = made.facts | {whom: person, "after": person}
                first = RULES[made.verb](leaving, Step(made.verb, made.actor, facts))[0]
                if made.actor in clinic.staff.keys() - {person} and first.result == "pending person":
                    caught.append(Deed(made.verb, made.actor, facts))
                    break
        return self._rng.sample(caught, min(2, len(caught)))

    def _nothing(self, _clinic: Clinic, _deed: Deed) -> list[Deed]:
        return []

    def _staff(self, clinic: Clinic, likely: str = ACTIVE) -> str:
        team = sorted(who for who in clinic.staff if who != OFFICE)
        able = [who for who in team if clinic.staff[who] == likely]
        return self._rng.choice(able if able and self._rng.random() < 0.85 else team)

    def _patient(self, clinic: Clinic) -> str:
        return self._rng.choice(sorted(clinic.patients))

    def _seat(
        self, clinic: Clinic, kinds: tuple[str, ...] = (CARE, SERVICE, GROUP), patients: float = 0.2
    ) -> tuple[str, str]:
        """A channel and somebody in it, or now and then somebody who is not."""
        keys = sorted(key for key, one in clinic.channels.items() if one.kind in kinds)
        gone = [
            key for key in keys if (who := clinic.channels[key].patient) and clinic.patients[who].status == ARCHIVED
        ]
        key = self._rng.choice(gone if gone and self._rng.random() < 0.3 else keys)
        seats = sorted(clinic.channels[key].seats)
        team = [who for who in seats if who in clinic.staff]
        if self._rng.random() < 0.04:
            return key, self._staff(clinic)
        chosen = seats if self._rng.random() < patients else team
        return key, self._rng.choice(chosen or seats or [self._staff(clinic)])

    def _archive(self, clinic: Clinic) -> Deed:
        successor = self._staff(clinic) if self._rng.random() < 0.3 else None
        person = self._rarest(clinic) if self._rng.random() < 0.5 else self._staff(clinic)
        return Deed(
            "archive",
            OFFICE,
            {
                "person": person,
                "successor": successor if successor != person else None,
                "looks": self._rng.random() < 0.8,
            },
        )

    def _rarest(self, clinic: Clinic) -> str:
        """Whose archiving takes the steps of the chain that were seen least."""
        team = sorted(who for who, status in clinic.staff.items() if status == ACTIVE and who != OFFICE)
        facts = {"successor": None}
        rarity = {who: self._rarity(clinic, Deed("archive", OFFICE, facts | {"person": who})) for who in team}
        return max(team, key=lambda who: (rarity[who], self._rng.random())) if team else self._staff(clinic)

    def _leave(self, clinic: Clinic) -> Deed:
        channel, actor = self._seat(clinic)
        instead = (
            self._staff(clinic, self._rng.choice((ACTIVE, ACTIVE, ARCHIVED)))
            if self._rng.random() < 0.35 and actor in clinic.staff
            else None
        )
        return Deed("leave", actor, {"channel": channel, "instead": instead if instead != actor else None})

    def _remove(self, clinic: Clinic) -> Deed | None:
        channel, actor = self._seat(clinic, patients=0.03)
        alone = self._rng.random() < 0.3
        others = sorted(clinic.channels[channel].seats.keys() - (set() if alone else {actor}))
        return Deed("remove", actor, {"channel": channel, "person": self._rng.choice(others)}) if others else None

    def _add(self, clinic: Clinic) -> Deed:
        channel, actor = self._seat(clinic, patients=0.03)
        grouped = clinic.channels[channel].kind == GROUP
        person = (
            self._patient(clinic)
            if grouped and self._rng.random() < 0.6
            else self._staff(clinic, self._rng.choice((ACTIVE, ACTIVE, ACTIVE, ARCHIVED)))
        )
        return Deed("add", actor, {"channel": channel, "person": person})

    def _read(self, clinic: Clinic) -> Deed | None:
        channel, actor = self._seat(clinic)
        seat = clinic.channels[channel].seats.get(actor)
        if seat is None or seat.read is None:
            return None
        return Deed("read", actor, {"channel": channel, "upto": seat.read + self._rng.randint(0, 3)})

    def _send(self, clinic: Clinic) -> Deed:
        channel, actor = self._seat(clinic, patients=0.6)
        return Deed("send", actor, {"channel": channel})

    def _reassign(self, clinic: Clinic) -> Deed:
        return Deed(
            "reassign",
            OFFICE,
            {
                "patient": self._patient(clinic),
                "clinician": self._staff(clinic, self._rng.choice((ACTIVE, ACTIVE, ARCHIVED))),
            },
        )

    def _archive_patient(self, clinic: Clinic) -> Deed:
        return Deed("archive_patient", OFFICE, {"patient": self._patient(clinic)})

    def _unarchive_patient(self, clinic: Clinic) -> Deed | None:
        gone = sorted(who for who, one in clinic.patients.items() if one.status == ARCHIVED)
        return Deed("unarchive_patient", OFFICE, {"patient": self._rng.choice(gone)}) if gone else None

    def _archive_channel(self, clinic: Clinic) -> Deed:
        channel, actor = self._seat(clinic)
        return Deed("archive_channel", actor, {"channel": channel})

    def _unarchive_channel(self, clinic: Clinic) -> Deed | None:
        closed = sorted(key for key, one in clinic.channels.items() if one.status == ARCHIVED and one.seats)
        if not closed:
            return None
        channel = self._rng.choice(closed)
        return Deed("unarchive_channel", self._rng.choice(sorted(clinic.channels[channel].seats)), {"channel": channel})

    def _facilitate(self, clinic: Clinic) -> Deed:
        channel, actor = self._seat(clinic, (GROUP,), patients=0.03)
        person = self._staff(clinic) if self._rng.random() < 0.8 else None
        return Deed("facilitate", actor, {"channel": channel, "person": person})

    def _activate(self, clinic: Clinic) -> Deed:
        actor = self._staff(clinic)
        missing = sorted(
            (who, kind) for who in clinic.patients for kind in (CARE, SERVICE) if own(who, kind) not in clinic.channels
        )
        where = missing if missing and self._rng.random() < 0.8 else [(self._patient(clinic), CARE)]
        patient, kind = self._rng.choice(where)
        team = sorted({actor, self._staff(clinic)})
        return Deed("activate", actor, {"patient": patient, "kind": kind, "team": team})

    def _set_rule(self, clinic: Clinic) -> Deed:
        nominees = sorted({self._staff(clinic) for _ in range(self._rng.randint(0, 2))})
        facts = {"automatic": self._rng.random() < 0.6, "includes": self._rng.random() < 0.4, "nominees": nominees}
        return Deed("set_rule", OFFICE, facts | {"kind": self._rng.choice((CARE, SERVICE))})

    def _set_net(self, clinic: Clinic) -> Deed:
        return Deed("set_net", OFFICE, {"person": self._staff(clinic) if self._rng.random() < 0.7 else None})

    def _set_cohort(self, clinic: Clinic) -> Deed:
        team = sorted({self._staff(clinic) for _ in range(self._rng.randint(0, 2))})
        return Deed("set_cohort", OFFICE, {"cohort": "c0", "team": team})

    def _create_patient(self, clinic: Clinic) -> Deed | None:
        if len(clinic.patients) > 8:
            return None
        return Deed("create_patient", OFFICE, {"clinician": self._staff(clinic), "cohort": "c0"})

    def _return_staff(self, clinic: Clinic) -> Deed | None:
        gone = sorted(who for who, status in clinic.staff.items() if status == ARCHIVED)
        return Deed("return_staff", OFFICE, {"person": self._rng.choice(gone)}) if gone else None


_WEIGHTS: dict[str, float] = {
    "archive": 24, "leave": 16, "remove": 12, "add": 12, "read": 3, "send": 3, "reassign": 5, "archive_patient": 7,
    "unarchive_patient": 12, "archive_channel": 3, "unarchive_channel": 6, "facilitate": 4, "activate": 4, "set_rule": 5,
    "set_net": 3, "set_cohort": 4, "create_patient": 8, "return_staff": 14,
}  # fmt: skip
