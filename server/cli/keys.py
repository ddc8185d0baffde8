"""`warmline keys`: the master key's file, the organisations' data keys, changing either while everything runs; push's key."""

import argparse
import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from server.cli import within
from server.cli.commands import Commands
from server.errors import Conflict, Invalid

if TYPE_CHECKING:
    from server.db import Transaction

_READS = f"{within.SETTINGS}. {within.BESIDE_DEV}"
_OWNER = f"{within.SETTINGS}; DATABASE_URL of the login that owns the tables. {within.BESIDE_DEV}"
_REWRAP = """To change the master key while everything runs: (1) `warmline keys make NEW`, and back it up. (2) Set
WARMLINE_MASTER_KEY_FILE=OLD,NEW everywhere and restart one process after the other: now each of them opens what either
wraps. (3) With WARMLINE_MASTER_KEY_FILE=NEW,OLD run `warmline keys rewrap`. (4) Set WARMLINE_MASTER_KEY_FILE=NEW everywhere
and restart one after the other. Keep OLD as long as there are backups of the database from before step 3."""


def add(commands: Commands) -> None:
    """Add them."""
    keys = commands.family("keys", "make, rotate and re-wrap the keys that messages are encrypted with")
    what = "make a master key in a new file that its owner alone may read"
    made = keys.add(
        "make", make, what, "nothing but its argument; a file that is there is never overwritten.", changes=True
    )
    made.add_argument("file", type=Path, help="where to; the folder must be there")
    what = "make the key that pushes are signed with, in a new file that its owner alone may read"
    made = keys.add(
        "vapid", vapid, what, "nothing but its argument; a file that is there is never overwritten.", changes=True
    )
    made.add_argument("file", type=Path, help="where to; the folder must be there")
    made = keys.add(
        "list", show, "list the data keys, their age, and how many records each has closed", _READS, changes=False
    )
    made.add_argument("--json", action="store_true", help="for machines: one object per key")
    what = "give organisations a new data key for what is written from now on; the gateways take it up within a minute"
    made = keys.add("rotate", rotate, what, _READS, changes=True)
    made.add_argument("organization", nargs="*", help="ids of organisations (see `warmline keys list`)")
    made.add_argument("--all", action="store_true", help="every organisation")
    what = "wrap all data keys by the first of the master keys, in one transaction"
    made = keys.add("rewrap", rewrap, what, _READS, changes=True)
    made.description = f"{made.description}\n\n{_REWRAP}"
    what = (
        "close what retired data keys have closed anew under the current ones, in small batches, beside everything else"
    )
    made = keys.add("re-encrypt", reencrypt, what, _OWNER, changes=True)
    made.add_argument("--pause", type=float, default=0.05, help="seconds between two batches (0.05)")
    what = "remove retired data keys that have no record left; what still has one is kept, by a rule of the database"
    keys.add("drop", drop, what, _OWNER, changes=True)


def make(chosen: argparse.Namespace) -> None:
    """Make a master key."""
    from server.ids import random_bytes

    path: Path = chosen.file
    if path.exists() or path.is_symlink():
        raise Conflict(f"{path} is there already, and a master key is never overwritten. Give another name.")
    if not path.parent.is_dir():
        raise Conflict(f"{path.parent} is no folder. Make it first, for the user that runs Warmline alone (mode 0700).")
    if chosen.dry_run:
        print(f"Would make {path}: 32 random bytes in base64, readable by its owner alone (mode 0600).")
        return
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(base64.b64encode(random_bytes(32)).decode() + "\n")
        file.flush()
        os.fsync(file.fileno())
    print(f"Made {path}. Back it up now, apart from the database: without it no message can be read again.")


def vapid(chosen: argparse.Namespace) -> None:
    """Make a key for push."""
    from server.notices import vapid

    path: Path = chosen.file
    if path.exists() or path.is_symlink():
        raise Conflict(f"{path} is there already: with another key every browser would have to register again.")
    if not path.parent.is_dir():
        raise Conflict(f"{path.parent} is no folder. Make it first, for the user that runs Warmline alone (mode 0700).")
    if chosen.dry_run:
        print(f"Would make {path}: a private key (P-256, PEM), readable by its owner alone (mode 0600).")
        return
    key = vapid.public(vapid.make(path))
    print(f"Made {path}. Name it in WARMLINE_VAPID_KEY_FILE of every gateway and worker, and keep a copy.")
    print(f"Its public half, which browsers register for: {key}")


def show(chosen: argparse.Namespace) -> None:
    """List the data keys."""
    from server.cli import keylist

    found = within.with_database(keylist.entries(within.database_url(), within.settings()))
    if chosen.json:
        print(json.dumps([entry.as_json() for entry in found], indent=1))
        return
    for entry in found:
        print(entry.line())


def rotate(chosen: argparse.Namespace) -> None:
    """Rotate data keys."""
    from server.crypto import MasterKey
    from server.ids import OrganizationId
    from server.people import keys

    if bool(chosen.organization) == chosen.all:
        raise Invalid("Name the organisations, or say --all.")

    master = MasterKey.of(within.settings())

    async def run(tx: "Transaction") -> list[str]:
        known = {row["organization_id"]: row["id"] for row in await keys.stored(tx) if row["retired_at"] is None}
        said = []
        for organization_id in sorted(known) if chosen.all else chosen.organization:
            old, new = await keys.rotate(tx, master, OrganizationId(organization_id))
            said.append(
                f"Would make a new data key for {organization_id} and retire {old}."
                if chosen.dry_run
                else f"{organization_id}: {new} is current, {old} is retired. The gateways take it up within a minute."
            )
        return said

    print("\n".join(within.in_transaction(run, chosen.dry_run)))


def rewrap(chosen: argparse.Namespace) -> None:
    """Wrap all data keys by the first master key."""
    from server.crypto import MasterKey
    from server.people import keys

    master = MasterKey.of(within.settings())
    done = within.in_transaction(lambda tx: keys.rewrap(tx, master, chosen.dry_run), chosen.dry_run)
    would = "Would wrap" if chosen.dry_run else "Wrapped"
    for organization_id, key_id in done:
        print(f"{would} {key_id} of {organization_id} by the first master key.")
    if not done:
        print("The first master key wraps every data key already: nothing to do.")


def reencrypt(chosen: argparse.Namespace) -> int:
    """Close old records anew."""
    from server.cli import keylist

    work = keylist.reencrypt(within.database_url(), within.settings(), chosen.pause, chosen.dry_run)
    progress = within.with_database(work)
    would = "Would close" if chosen.dry_run else "Closed"
    print(f"{would} {progress.changed} revisions anew under their organisation's current key.")
    for message_id in progress.unopened:
        print(f"Message {message_id} does not open where it stands; it was left as it is, and keeps its key.")
    return 1 if progress.unopened else 0


def drop(chosen: argparse.Namespace) -> None:
    """Drop retired keys without records."""
    from server.cli import keylist

    dropped, kept = within.with_database(keylist.drop(within.database_url(), chosen.dry_run))
    would = "Would drop" if chosen.dry_run else "Dropped"
    for organization_id, key_id in dropped:
        print(f"{would} {key_id} of {organization_id}: no record needs it.")
    for organization_id, key_id, why in kept:
        print(f"Kept {key_id} of {organization_id}: {why}.")
