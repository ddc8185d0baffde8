"""The disk: how large the database is, and, where its files lie on this machine, how much room is left."""

import shutil
from urllib.parse import urlsplit

import asyncpg

from server.cli.checks.findings import Finding, error, ok, warning
from server.config_checks import LOOPBACK

PART = "disk"
GIB = 2**30
LITTLE, TOO_LITTLE = 0.15, 0.05


async def check(connection: asyncpg.Connection, url: str) -> list[Finding]:
    """What can be seen from here."""
    size = await connection.fetchval("select pg_database_size(current_database())")
    found = [ok(PART, f"the database takes {size / GIB:.2f} GiB")]
    if (urlsplit(url).hostname or "localhost") not in LOOPBACK:
        return [*found, ok(PART, "the database lies on another machine: watch its free space there")]
    try:
        folder = await connection.fetchval("show data_directory")
        room = shutil.disk_usage(folder)
    except (asyncpg.InsufficientPrivilegeError, OSError):
        return [*found, ok(PART, "where the database lies cannot be seen by this login: watch its free space there")]
    return [*found, judged(folder, room.free, room.total)]


def judged(folder: str, free: int, total: int) -> Finding:
    """Free space, in bytes, as a finding."""
    says = f"{free / GIB:.1f} GiB of {total / GIB:.1f} GiB are free where the database lies ({folder})"
    do = "Make room, or enlarge the volume: when it is full nothing can be sent any more."
    if free < TOO_LITTLE * total:
        return error(PART, says, do)
    return warning(PART, says, do) if free < LITTLE * total else ok(PART, says)
