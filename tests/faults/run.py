"""One run: people write and listen while something is broken; then everything is healed, read, and judged."""

import random
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.faults import final
from tests.faults.churn import Churn
from tests.faults.load import Load
from tests.faults.nemesis import Nemesis
from tests.faults.sdk import Sdk
from tests.faults.ward import Ward
from tests.support.history import Finding, History, check


@dataclass
class Run:
    """What a scenario works with while it lasts, and what came of it."""

    ward: Ward
    load: Load
    nemesis: Nemesis
    sdk: Sdk
    channels: dict[str, str]
    """Who may read each of them at the end."""
    doorbell: Any = None
    notes: list[str] = field(default_factory=list)
    """What is worth telling of this run beside the checks."""
    wrong: list[str] = field(default_factory=list)
    """What else had to hold, and did not."""
    history: History = field(default_factory=lambda: History([]))
    found: dict[str, list[Finding]] = field(default_factory=dict)

    async def stop_writing(self, within: float) -> None:
        """Nobody writes any more; what is under way is tried until it is known, as long as that."""
        await self.sdk.stop_writing(within)
        await self.load.stop_writing(within)

    def also(self, parts: Iterable[Coroutine[Any, Any, None]]) -> None:
        """Others take part as well, until everything is over."""
        self.load.take_part(parts)

    def hold(self, good: bool, says: str) -> None:
        """Something else that must be so in this run, in words that hold either way."""
        (self.notes if good else self.wrong).append(says)

    def judge(self) -> None:
        """Raises AssertionError with what the checks found, if anything."""
        wrong = self.wrong + [str(finding) for some in self.found.values() for finding in some]
        shown = "\n".join(wrong[:20])
        assert not wrong, f"{len(wrong)} findings:\n{shown}\n{self.ward.logs()[-3000:]}"


@asynccontextmanager
async def run(
    ward: Ward,
    seed: int,
    *,
    channels: int = 3,
    writers: int = 6,
    listeners: int = 4,
    pause: float = 0.03,
    restless: float = 1.5,
    churn: bool = True,
    patience: float = 15,
    **plan: object,
) -> AsyncIterator[Run]:
    """The load is on as long as the block lasts; after it, everything is read and judged into `found`.

    Args:
        ward: where.
        seed: what decides about every chance in it.
        channels: how many, beside one of another organisation.
        writers: how many write, in any of the channels they are in.
        listeners: how many listen to all channels; one with the SDK beside them, one in the other organisation.
        pause: seconds between the sends of one writer.
        restless: seconds on average between the cuts that a listener makes by itself.
        churn: whether somebody is removed from a channel and added again, all the time.
        patience: seconds that sends under way, and then listeners, are waited for; who is late is for the plan to say.
        plan: what the run must contain; see Plan.
    """
    luck = random.Random(seed)
    recorder = ward.recorder
    recorder.say("plan", plan=plan)
    staff = [ward.resident(await ward.clinic.team_member()) for _ in range(2)]
    made = [await ward.channel(*staff) for _ in range(channels)]
    other = await ward.channel(clinic=ward.elsewhere)
    load = Load(recorder, lambda: ward.front.socket_url, ward.token, luck, pause, restless)
    readers = dict.fromkeys(made, ward.clinic.clinician) | {other: ward.elsewhere.clinician}
    people = [ward.clinic.clinician, *staff]
    sdk = Sdk(ward, luck, people[0], made)
    going = Run(ward, load, Nemesis(ward, luck), sdk, readers)
    for number in range(listeners):
        load.listen(f"listener {number}", people[number % len(people)], made)
    load.listen("patient", await ward.patient_of(made[0]), made[:1])
    load.listen("stranger", ward.elsewhere.clinician, [other])
    for number in range(writers):
        load.write(f"w{seed}-{number}", people[number % len(people)], made)
    load.write(f"p{seed}", await ward.patient_of(made[0]), made[:1])
    load.write(f"s{seed}", ward.elsewhere.clinician, [other])
    moving = Churn(ward, load, made[-1]) if churn else None
    try:
        await sdk.start()
        if moving:
            await moving.start()
        yield going
        await going.nemesis.settled()
        if moving:
            await moving.stop()
        await going.stop_writing(patience)
        recorder.say("healed")
        await final.arrived(load, list(readers), ward, patience)
        await sdk.arrived(ward, patience)
        await final.read(ward, readers, patience)
    finally:
        await load.stop()
        await sdk.stop()
        if moving:
            await moving.stop()
    going.history = History(recorder.events)
    going.found = check(going.history)
