"""Somebody steals the database: a dump, its files and its write-ahead log hold no word that was written, and no key (S30)."""

import asyncio
import base64
import subprocess
from pathlib import Path

import asyncpg
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.crypto import MasterKey, unseal
from server.dev.embedded import Postgres, environment
from tests.live.conftest import clinic_in
from tests.support.cast import Clinic

CANARY = "Canary-in-a-body-58213"
CONTROL = "Control-not-encrypted-77120"
"""Stands in a channel's name, which is not encrypted: a search that does not find this one finds nothing."""


def spellings(secret: bytes) -> set[bytes]:
    """The ways in which bytes may stand in a file: as they are, in hex, in base64 at any alignment."""
    return {
        secret,
        secret.hex().encode(),
        secret.hex().upper().encode(),
        *(base64.b64encode(bytes(start) + secret)[4:-4] for start in range(3)),
        *(base64.urlsafe_b64encode(bytes(start) + secret)[4:-4] for start in range(3)),
    }


def of_text(text: str) -> set[bytes]:
    """The ways in which a text may stand in a file."""
    encodings = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le")
    cases = (text, text.lower(), text.upper(), text[::-1])
    return {spelled for case in cases for encoding in encodings for spelled in spellings(case.encode(encoding))}


def found(pile: dict[str, bytes], needles: set[bytes]) -> list[str]:
    """Where any of them stands."""
    return [name for name, content in pile.items() if any(needle in content for needle in needles)]


@pytest.mark.catalogue("S30")
async def test_a_stolen_database_tells_nothing_of_what_was_written(
    own_postgres: Postgres, own_database_url: str
) -> None:
    async with clinic_in(own_database_url) as clinic:
        patient = await clinic.patient()
        channel = await clinic.care_team(patient)
        await clinic.channel("group", clinic.clinician, patient, name=CONTROL)
        for number in range(20):
            sent = await clinic.send(
                patient if number % 2 else clinic.clinician, channel, f"{CANARY} " * (1 + number * 15)
            )
        await clinic.send(clinic.clinician, channel, f"Reply: {CANARY}", reply_to=sent["message_id"])
        edited = await clinic.send(clinic.clinician, channel, f"First wording: {CANARY}")
        await clinic.call(
            clinic.clinician, "message.edit", channel_id=channel, message_id=edited["message_id"], expected_revision=1,
            text=f"Second wording: {CANARY}",
        )  # fmt: skip
        await clinic.call(
            clinic.clinician,
            "message.delete",
            channel_id=channel,
            message_id=sent["message_id"],
            expected_revision=1,
            reason=CANARY,
        )
        await document(clinic)
        history = await clinic.call(clinic.clinician, "message.history", channel_id=channel)
        assert sum(CANARY in item.get("text", "") for item in history["items"]) == 21, "who may read it reads it"
    pile = await stolen(own_postgres, own_database_url)
    assert {"dump", "wal", "tables"} <= {name.split(" ")[0] for name in found(pile, of_text(CONTROL))}
    assert found(pile, of_text(CANARY)) == []
    assert found(pile, await keys(own_database_url)) == []


async def document(clinic: Clinic) -> None:
    """Whatever is written down about a group."""
    who = clinic.clinician
    group = (await clinic.call(who, "group.create", name="Group", type="therapy"))["id"]
    guest = (await clinic.call(who, "guest.create", display_name="Guest", notes=f"Of a guest: {CANARY}"))["id"]
    member = {"group_id": group, "member_type": "guest", "guest_id": guest}
    await clinic.call(who, "group_member.add", **member, notes=f"Of a member: {CANARY}")
    session = {"group_id": group, "type": "group-therapy", "encounter_date": "2025-01-01T00:00:00Z"}
    made = await clinic.call(who, "encounter.create_for_group", **session, chief_complaint=f"Topic: {CANARY}")
    note = {"encounter_id": made["id"], "note_type": "session_note"}
    await clinic.call(who, "encounter_note.create", **note, content=f"Note: {CANARY}")


async def stolen(postgres: Postgres, url: str) -> dict[str, bytes]:
    """What a thief may get: two kinds of dump, every file of the cluster after a checkpoint, the log among them."""
    connection = await asyncpg.connect(url)
    await connection.execute("checkpoint")
    await connection.close()
    pile = {}
    for options in ([], ["--inserts", "--data-only"]):
        command: list[str | Path] = [postgres.bin / "pg_dump", *options, url]
        done = await asyncio.to_thread(
            subprocess.run, command, env=environment(), capture_output=True, check=True, timeout=60
        )
        pile[f"dump {options}"] = done.stdout
    for path in postgres.data.rglob("*"):
        if path.is_file():
            kind = "wal" if "pg_wal" in path.parts else "tables" if "base" in path.parts else "other"
            pile[f"{kind} {path.relative_to(postgres.data)}"] = path.read_bytes()
    return pile


async def keys(url: str) -> set[bytes]:
    """The master key and every data key, as they may stand somewhere."""
    master = bytes(range(32))
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("select organization_id, id, wrapped from organization_keys")
    await connection.close()
    places = [MasterKey._place(row["organization_id"], row["id"]) for row in rows]
    opened = [unseal(AESGCM(master), row["wrapped"], place) for row, place in zip(rows, places, strict=True)]
    assert [len(key) for key in opened] == [32] * len(rows) != []
    return {spelled for key in (master, *opened) for spelled in spellings(key)}
