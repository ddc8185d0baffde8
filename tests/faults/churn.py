"""Somebody who is removed from a channel and added again, all the time, while listening to it."""

import asyncio
import contextlib
import time

from tests.faults.load import Load
from tests.faults.ward import Ward


class Churn:
    """The comings and goings of one team member. What became of each is read from the database, whatever was answered."""

    def __init__(self, ward: Ward, load: Load, channel: str) -> None:
        self._ward = ward
        self._load = load
        self._channel = channel
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._person = ""
        self._told: tuple[str, int | None] = ("", None)

    async def start(self) -> None:
        """Somebody new comes in, listens on two connections, and goes."""
        self._person = self._ward.resident(await self._ward.clinic.team_member())
        await self._change(True)
        for number in range(2):
            self._load.listen(f"mover {number}", self._person, [self._channel])
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """They are a member when it ends."""
        self._stopping = True
        if self._task:
            await self._task
            self._task = None

    async def _run(self) -> None:
        inside = True
        while not (self._stopping and inside):
            await asyncio.sleep(0.1 if self._stopping else self._load.luck.uniform(0.4, 1.2))
            inside = await self._change(not inside)

    async def _change(self, come: bool) -> bool:
        """Ask for it; whether they are in now."""
        since, clinic = time.monotonic(), self._ward.clinic
        # However it ends, the database tells what became of it.
        with contextlib.suppress(Exception):
            if come:
                await clinic.add(self._channel, self._person)
            else:
                await clinic.remove(self._channel, self._person)
        return await self._tell(since)

    async def _tell(self, since: float) -> bool:
        """What the database says of it."""
        while True:
            try:
                async with self._ward.sql() as owner:
                    row = await owner.fetchrow(
                        """select id, joined_offset, left_offset from memberships
                            where channel_id = $1 and person_id = $2 order by joined_offset desc limit 1""",
                        self._channel,
                        self._person,
                    )
                break
            except Exception:
                await asyncio.sleep(0.2)
        if row is None:
            return False
        said, self._told = self._told, (row["id"], row["left_offset"])
        if self._told != said:
            inside = row["left_offset"] is None
            self._ward.recorder.say(
                "member.add" if inside else "member.remove", channel=self._channel, person=self._person, since=since,
                offset=row["joined_offset"] if inside else row["left_offset"],
            )  # fmt: skip
        return row["left_offset"] is None
