"""The rows of the catalogue that are runs with faults, one small function each: what is broken while people write and listen."""

import asyncio
import random
import time

from tests.faults.dawdling import FAULT as DAWDLING
from tests.faults.dawdling import ROOM, dawdling
from tests.faults.draining import ROLLED, rolling
from tests.faults.herd import KILLED, herd
from tests.faults.nemesis import PROMOTED, RESTORED, Nemesis
from tests.faults.planted import in_database
from tests.faults.renewed import restored
from tests.faults.rotating import REWRAPPED, ROTATED, with_keys_changing
from tests.faults.run import Run
from tests.faults.scenario import Scenario, again
from tests.faults.stalled import FAULT as STALLED
from tests.faults.stalled import stalled
from tests.faults.twenty import FAULT as TWENTY
from tests.faults.twenty import twenty
from tests.support.doorbell import Subscriber


class Misfortune:
    """What Redis hands to a gateway is lost, doubled or swapped, by luck, while `on`."""

    def __init__(self, seed: int) -> None:
        self.on = False
        self.done = 0
        self._luck = random.Random(seed)
        self._kept: list[bytes] = []

    def connection(self) -> Subscriber:
        """For a proxy's new connection."""
        return Subscriber(self._pass)

    def _pass(self, reply: bytes) -> list[bytes]:
        kept, self._kept = self._kept, []
        if not self.on or self._luck.random() < 0.6:
            return [reply, *kept]
        self.done += 1
        what = self._luck.choice(("lose", "double", "swap"))
        if what == "swap":
            self._kept = [reply]
            return kept
        return [*([] if what == "lose" else [reply, reply]), *kept]


async def misfortune(going: Run, seconds: float) -> None:
    """Redis loses, doubles and swaps."""
    assert going.doorbell is not None
    async with going.nemesis.broken("messages lost, doubled, swapped"):
        going.doorbell.on = True
        await asyncio.sleep(seconds)
        going.doorbell.on = False
        if not going.doorbell.done:
            going.nemesis.missed("messages lost, doubled, swapped", "none was")


async def held(going: Run, seconds: float) -> None:
    """One channel is held while the others go on: sends there are answered all the same."""
    first, *others = going.channels
    await asyncio.sleep(0.5)
    holding = asyncio.create_task(going.nemesis.hold_channel(first, min(seconds, 20)))
    began = time.monotonic()
    await asyncio.sleep(max(seconds - 1, 1))
    answered = [one for one in going.ward.recorder.events if one.kind == "send.ok" and one.at > began + 0.5]
    free = [one for one in answered if one.channel in others]
    await holding
    if not free:
        going.nemesis.missed("a channel's row held", "nobody wrote in another channel meanwhile")
    await asyncio.sleep(1)


async def rolled_back(going: Run, seconds: float) -> None:
    """One transaction of sends in twenty fails at its end."""
    async with going.nemesis.broken("transactions fail at their end"):
        async with going.ward.sql() as owner:
            await in_database(owner, "failing transactions")
        await asyncio.sleep(seconds)
        async with going.ward.sql() as owner:
            await in_database(owner, "nothing")
        if not any(event.kind == "send.info" for event in going.ward.recorder.events):
            going.nemesis.missed("transactions fail at their end", "no sender noticed")


async def promoted(going: Run, seconds: float) -> None:
    """The primary dies, and the standby that takes over lacks the tail."""
    await asyncio.sleep(seconds / 2)
    await going.nemesis.promote_without_the_tail()
    await asyncio.sleep(max(3.0, seconds / 2))


STORM = (
    Nemesis.kill_gateway, Nemesis.stand_still, Nemesis.redis_restart, Nemesis.redis_pause, Nemesis.pubsub_kill,
    Nemesis.part_from_redis, Nemesis.postgres_crash, Nemesis.terminate_backends, Nemesis.cut_database_lines, Nemesis.cut_lines,
    Nemesis.cut_within_answers, Nemesis.silence_lines,
)  # fmt: skip


async def storm(going: Run, seconds: float) -> None:
    """Everything, by luck."""
    await going.nemesis.storm(STORM, seconds, (0.5, 2.0))


async def small_storm(going: Run, seconds: float) -> None:
    """What harms no server that others use as well."""
    acts = (Nemesis.kill_gateway, Nemesis.part_from_redis, Nemesis.cut_database_lines, Nemesis.cut_within_answers)
    await going.nemesis.storm(acts, seconds, (0.2, 0.6))


KILL, CUT = "kill -9 of a gateway", "lines cut within an answer"
JUMPED = "clocks jump by an hour"


async def skewed(going: Run, seconds: float) -> None:
    """The clocks do that by themselves."""
    async with going.nemesis.broken(JUMPED):
        await asyncio.sleep(max(seconds, 7.0))


SCENARIOS = [
    Scenario(("R01", "S32"), "gateways killed, one after the other, while all keys change",
             with_keys_changing(again(Nemesis.kill_gateway)), {KILL: 2, ROTATED: 1, REWRAPPED: 1}, gateways=3, worker=True,
             new_master=True),
    Scenario(("R04",), "Redis killed, back empty", again(Nemesis.redis_restart), {"Redis killed, back empty": 1}, own=True),
    Scenario(("R05",), "Redis drops its subscribers", again(Nemesis.pubsub_kill), {"CLIENT KILL TYPE pubsub": 1}, own=True),
    Scenario(("R07",), "Redis answers nobody", again(Nemesis.redis_pause), {"Redis paused": 1}, own=True),
    Scenario(("R08",), "one gateway and Redis do not hear each other", again(Nemesis.part_from_redis),
             {"a gateway parted from Redis": 1}),
    Scenario(("R09",), "Redis loses, doubles and swaps messages", misfortune, {"messages lost, doubled, swapped": 1},
             misfortune=True),
    Scenario(("R10",), "Postgres killed as in a power cut", again(Nemesis.postgres_crash, calm=2.0), {"Postgres killed": 1},
             own=True, plan={"ok_within": 20.0}),
    Scenario(("R11",), "all database connections ended, again and again; two for operations",
             again(Nemesis.terminate_backends, Nemesis.cut_database_lines),
             {"database connections ended": 1, "database lines cut": 1}, own=True, settings={"WARMLINE_POOL_SIZE": "2"}),
    Scenario(("R12",), "a standby that lacks the tail is promoted", promoted, {PROMOTED: 1}, own=True, standby=True, churn=False,
             plan={"loses": [PROMOTED], "resets": 1, "ok_within": 30.0}),
    Scenario(("R13",), "Postgres restored from a backup, to a moment before the last messages", restored, {RESTORED: 1},
             own=True, backup=True, churn=False, plan={"loses": [RESTORED], "resets": 5, "ok_within": 30.0}),
    Scenario(("R16",), "somebody holds a channel's row", held, {"a channel's row held": 1}),
    Scenario(("R17",), "transactions of many writers fail at their end", rolled_back, {"transactions fail at their end": 1}),
    Scenario(("R18",), "one message sent twenty times at once, on different gateways", twenty, {TWENTY: 1}, gateways=3),
    Scenario(("R19",), "answers cut anywhere within", again(Nemesis.cut_within_answers, Nemesis.cut_lines),
             {CUT: 1, "all lines cut": 1}),
    Scenario(("R23",), "two hundred readers stall in a channel where much is said", stalled, {STALLED: 1}),
    Scenario(("R24",), "two thousand sockets that never come to the point", dawdling, {DAWDLING: 1}, settings=ROOM),
    Scenario(("R25",), "lines gone silent without an end", again(Nemesis.silence_lines), {"lines gone silent": 1}),
    Scenario(("R27",), "a gateway killed with a thousand connections of twenty channels each", herd, {KILLED: 1}, churn=False,
             counted=True, load={"writers": 1, "listeners": 1, "pause": 0.3, "restless": 0.0},
             plan={"sends": 20, "recoveries": 1000}),
    Scenario(("R28",), "rolling restart under load", rolling, {ROLLED: 2}),
    Scenario(("R29",), "gateways stand still for three seconds", again(Nemesis.stand_still), {"SIGSTOP of a gateway": 1}),
    Scenario(("R30",), "gateways whose clocks jump by an hour, one ahead and one behind", skewed, {JUMPED: 1}, early=True,
             program=("tests.faults.skewed",)),
    Scenario(("R36",), "everything, by luck", storm, {}, own=True, gateways=3, worker=True, plan={"ok_within": 30.0}),
]  # fmt: skip
"""In the order of the catalogue."""

SMALL_STORM = Scenario(
    ("R36",), "several things, by luck", small_storm,
    {KILL: 1, "a gateway parted from Redis": 1, "database lines cut": 1, CUT: 1}, plan={"ok_within": 20.0},
)  # fmt: skip
