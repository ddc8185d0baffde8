"""R28: one gateway after the other is restarted under load; each tells its connections to go elsewhere, over a moment."""

import asyncio
import time

from tests.faults.run import Run
from tests.support.wire import Wire

ROLLED = "rolling restart of a gateway"
IDLE = 100
"""Connections that only wait, on the first gateway that goes."""
WINDOW = 3.0
"""Seconds over which they are told."""


async def rolling(going: Run, seconds: float) -> None:
    """Again and again, until the time is over."""
    until = time.monotonic() + seconds
    idle = asyncio.create_task(_idle(going))
    await asyncio.sleep(1)
    while True:
        await going.nemesis.roll()
        if time.monotonic() > until:
            break
    await idle


async def _idle(going: Run) -> None:
    ward = going.ward
    url, token = ward.nodes[0].gateway.socket_url, ward.token(ward.clinic.clinician)
    wires = await asyncio.gather(*(Wire.open(url, token) for _ in range(IDLE)))

    async def told(wire: Wire) -> tuple[tuple[int, str], float]:
        return await wire.closed(60), time.monotonic()

    ends = await asyncio.gather(*(told(wire) for wire in wires))
    spread = max(at for _, at in ends) - min(at for _, at in ends)
    asked = sum(end == (3001, "shutdown") for end, _ in ends)
    going.hold(asked == IDLE, f"{asked} of {IDLE} idle connections were told to go elsewhere (3001)")
    going.hold(WINDOW / 3 < spread < WINDOW * 2, f"they were told over {spread:.1f} s")
