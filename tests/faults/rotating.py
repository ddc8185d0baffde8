"""S32 beside R01: the keys of all organisations are changed again and again while gateways are killed."""

import asyncio
import contextlib
import secrets

from tests.faults.run import Run
from tests.faults.scenario import Break
from tests.faults.ward import Ward
from tests.support.commands import warmline

ROTATED = "data keys rotated, all closed anew"
REWRAPPED = "data keys wrapped by another master key"


def with_keys_changing(breaks: Break) -> Break:
    """The same, and the keys meanwhile: rotated, closed anew, the retired ones dropped; once wrapped by a new master key."""

    async def both(going: Run, seconds: float) -> None:
        over = asyncio.Event()
        changing = asyncio.create_task(_change(going, over))
        try:
            await breaks(going, seconds)
        finally:
            over.set()
        await changing

    return both


async def _change(going: Run, over: asyncio.Event) -> None:
    for number in range(1000):
        async with going.nemesis.broken(ROTATED):
            await _keys(going.ward, "rotate", "--all")
            await _keys(going.ward, "re-encrypt", "--pause", "0")
            await _keys(going.ward, "drop")
        if number == 0:
            new = f"new-{secrets.token_hex(3)}.key"
            async with going.nemesis.broken(REWRAPPED):
                await _keys(going.ward, "make", str(going.ward.folder / new), order=1)
                await _keys(going.ward, "rewrap", order=-1)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), 2)
        if over.is_set():
            return


async def _keys(ward: Ward, *command: str, order: int = 1) -> None:
    files = ward.site.environment["WARMLINE_MASTER_KEY_FILE"].split(",")[::order]
    settings = ward.site.environment | {"WARMLINE_MASTER_KEY_FILE": ",".join(files), "DATABASE_URL": ward.owner_url}
    done = await asyncio.to_thread(lambda: warmline("keys", *command, **settings))
    assert done.returncode == 0, done.stderr
