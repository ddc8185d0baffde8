"""The clocks: ours against the database's and Redis's. Order never depends on them; sign-in and what people read do."""

import time

import asyncpg

from server.cli.checks.findings import Finding, error, ok, warning

PART = "clock"
NOTICEABLE, TOO_MUCH = 1.0, 10.0
"""Seconds. Ten are the leeway that tokens are given: beyond it good ones are refused, or old ones taken."""


async def behind(connection: asyncpg.Connection) -> float:
    """The database's clock minus ours, in seconds."""
    before = time.time()
    theirs = float(await connection.fetchval("select extract(epoch from clock_timestamp())::float8"))
    return theirs - (before + time.time()) / 2


def judged(whose: str, skew: float) -> Finding:
    """A difference between two clocks."""
    do = "Keep all machines in step with NTP (chrony, systemd-timesyncd)."
    says = f"{whose} clock differs from this machine's by {abs(skew):.3f} s"
    if abs(skew) > TOO_MUCH:
        return error(PART, says, do)
    return warning(PART, says, do) if abs(skew) > NOTICEABLE else ok(PART, says)
