"""`warmline audit …`: read the access log out, prove that it is whole, look into it, and the key it is signed with."""

import argparse
import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.cli import within
from server.cli.commands import ENDS, Commands
from server.errors import Misconfigured

if TYPE_CHECKING:
    from server.sealing.heads import Head
    from server.sealing.verifying import Verification

_READS = f"DATABASE_URL: a login that was granted warmline_auditor. {within.BESIDE_DEV}"
_VERDICT = "0 when the log is whole, 1 when it is not (it says where), 2 when a setting or an argument is wrong."


def add(commands: Commands) -> None:
    """Add them."""
    audit = commands.family("audit", "read the access log out, prove that it is whole, look into it")
    made = audit.add(
        "export", export, "write an organisation's access log, with its seals and heads", _READS, changes=False
    )
    made.add_argument("organization", help="its id")
    what = "only what was sealed from then on, e.g. 2026-01-31 or 2026-01-31T12:00Z"
    made.add_argument("--since", metavar="TIME", type=_time, help=what)
    made.add_argument("--until", metavar="TIME", type=_time, help="only what was sealed before then")
    what = "find what was changed, deleted, put in, moved or cut in an access log"
    reads = f"FILE, an export, and nothing else; without FILE, {_READS}"
    made = audit.add("verify", verify, what, reads, changes=False, ends=_VERDICT)
    made.add_argument("file", nargs="?", type=Path, help="an export; - is standard input. Without it: the database")
    made.add_argument("--organization", help="without FILE: only this one")
    made.add_argument(
        "--head", action="append", default=[], type=Path, help="heads kept elsewhere: a file of their lines"
    )
    made.add_argument(
        "--public-key", action="append", default=[], help="a key to trust, or a file that holds it; repeatable"
    )
    what = "print signed heads, to be kept elsewhere: they show later that the log was cut"
    made = audit.add("heads", heads, what, _READS, changes=False)
    made.add_argument("--organization", help="only this one's")
    made.add_argument("--all", action="store_true", help="all heads there are, not the newest of each organisation")
    made = audit.add("show", show, "list who saw or changed what, newest first", _SHOW_READS, changes=False)
    made.add_argument(
        "--as", dest="person", required=True, metavar="PERSON", help="who asks: a team member with audit.read"
    )
    for name in ("patient", "channel", "actor"):
        made.add_argument(f"--{name}", help=f"only this {name}'s, by id")
    made.add_argument("--refused", action="store_true", help="only what was refused")
    made.add_argument("--before", type=int, help="only what stands before this entry")
    made.add_argument("--limit", type=int, default=50, help="entries at most (50; 200 is the most)")
    made = audit.add(
        "make-key", make_key, "make a key to sign heads with, and print its public half", "nothing.", changes=True
    )
    made.add_argument("file", type=Path, help="a new file for the private key; WARMLINE_AUDIT_KEY_FILE then names it")
    what = "print the public half of the signing key in use, or of those that heads in the database were signed with"
    made = audit.add(
        "keys", keys, what, f"WARMLINE_AUDIT_KEY_FILE; with --database, {_READS}", changes=False, ends=ENDS
    )
    made.add_argument("--database", action="store_true", help="those in the database, which its owner could exchange")


def _time(text: str) -> str:
    """A time as the database reads it; UTC where it does not say. Raises ValueError."""
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat()


_SHOW_READS = f"{within.SETTINGS}; the database's login needs warmline_auditor as well. {within.BESIDE_DEV}"


def export(chosen: argparse.Namespace) -> None:
    """Write an export to standard output."""
    from server.sealing.export import export as lines
    from server.sealing.export import reading

    async def write() -> None:
        async with reading(within.database_url()) as connection:
            async for text in lines(connection, chosen.organization, chosen.since, chosen.until):
                print(text)

    within.with_database(write())


def verify(chosen: argparse.Namespace) -> int:
    """Verify a file, or the database."""
    kept = [head for path in chosen.head for head in _kept(path)]
    made = _verification(chosen.public_key, {}, kept)
    if chosen.file is None:
        return within.with_database(_verify_database(chosen, kept))
    from server.sealing.lines import NotAnExport, check

    try:
        with sys.stdin.buffer if str(chosen.file) == "-" else chosen.file.open("rb") as file:
            check(file, made)
    except OSError as wrong:
        raise Misconfigured(f"{chosen.file}: it cannot be read ({wrong.strerror})") from None
    except NotAnExport as wrong:
        _report(made)
        print(wrong)
        return 1
    return _report(made)


async def _verify_database(chosen: argparse.Namespace, kept: "list[Head]") -> int:
    from server.sealing.export import export, public_keys, reading
    from server.sealing.lines import Reader

    async with reading(within.database_url()) as connection:
        known = await public_keys(connection)
        wanted = (
            [chosen.organization]
            if chosen.organization
            else [row["id"] for row in await connection.fetch("select id from organizations order by id")]
        )
        worst = 0
        for organization_id in wanted:
            made = _verification(chosen.public_key, known, kept)
            reader = Reader(made)
            async for text in export(connection, organization_id):
                reader.feed(text)
            print(organization_id)
            worst = max(worst, _report(made))
    return worst


def _verification(given: list[str], known: dict[str, str], kept: "list[Head]") -> "Verification":
    from server.sealing import heads
    from server.sealing.verifying import Verification

    try:
        trusted = [heads.public_key(_text(one)) for one in given]
        keys = {heads.key_id(key): key for key in trusted}
        if not given:
            keys = {name: heads.public_key(text) for name, text in known.items()}
    except ValueError as wrong:
        raise Misconfigured(f"--public-key: {wrong}") from None
    return Verification(keys, kept, trusted=bool(given))


def _text(key: str) -> str:
    """A key as given: itself, or the file that holds it (also as `warmline audit keys` prints it)."""
    path = Path(key)
    return path.read_text().split()[-1] if path.is_file() else key


def _kept(path: Path) -> "list[Head]":
    from server.sealing.heads import Head

    try:
        return [Head.read(json.loads(text)) for text in path.read_text().splitlines() if text.strip()]
    except (OSError, ValueError, AttributeError):
        raise Misconfigured(f"--head: {path} holds no heads; it takes what `warmline audit heads` printed") from None


def _report(made: "Verification") -> int:
    """Print what was found; the exit status."""
    _print(f"note: {text}" for text in made.notes)
    if not made.findings:
        print(
            f"The log is whole: {made.seals} entries sealed, to #{made.last}; {made.unsealed} waiting for their seal."
        )
        return 0
    print(f"The log is NOT whole. First place: {made.findings[0]}")
    _print(str(finding) for finding in made.findings[1:])
    return 1


def _print(lines: Iterable[str]) -> None:
    for text in lines:
        print(text)


def heads(chosen: argparse.Namespace) -> None:
    """Print heads, one line each."""
    from server.sealing.export import heads as kept
    from server.sealing.export import reading

    async def read() -> "list[Head]":
        async with reading(within.database_url()) as connection:
            return await kept(connection, chosen.organization, all=chosen.all)

    _print(head.line() for head in within.with_database(read()))


def show(chosen: argparse.Namespace) -> None:
    """List entries, by the operation audit.list, as the person who asks; it is recorded."""
    from server.cli.asking import ask

    wanted: dict[str, Any] = {f"{name}_id": getattr(chosen, name) for name in ("patient", "channel", "actor")}
    wanted |= {"outcome": "refused" if chosen.refused else None, "before": chosen.before, "limit": chosen.limit}
    params = {name: value for name, value in wanted.items() if value is not None}
    found = within.with_database(ask(within.database_url(), chosen.person, "audit.list", params))
    for one in found["entries"]:
        ids = " ".join(f"{name}={value}" for name, value in sorted(one["facts"].items()))
        print(f"{one['id']:>10} {one['at']} {one['outcome']:<7} {one['operation']:<24} {one['actor_id']} {ids}")
    if found["more"]:
        print(f"There is more: --before {found['entries'][-1]['id']}")


def make_key(chosen: argparse.Namespace) -> None:
    """Make a signing key."""
    from server.sealing import heads as module
    from server.sealing import keys as files

    if chosen.dry_run:
        print(f"Would make an Ed25519 key in {chosen.file}.")
        return
    public = files.make(chosen.file).public_key()
    print(f"{module.key_id(public)} {module.public_text(public)}")


def keys(chosen: argparse.Namespace) -> None:
    """Print public keys."""
    from server.sealing import heads as module
    from server.sealing import keys as files
    from server.sealing.export import public_keys, reading

    if chosen.database:

        async def read() -> dict[str, str]:
            async with reading(within.database_url()) as connection:
                return await public_keys(connection)

        return _print(f"{name} {text}" for name, text in within.with_database(read()).items())
    public = files.read(files.named()).public_key()
    print(f"{module.key_id(public)} {module.public_text(public)}")
    return None
