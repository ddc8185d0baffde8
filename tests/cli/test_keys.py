"""`warmline keys`: nothing is lost at any step, every step can be tried dry, and the old key goes only when nothing needs it."""

import base64
import json
import secrets
import stat
from pathlib import Path

import asyncpg
import pytest

from server import metrics
from server.chat import reencryption
from server.cli.keylist import REFERRING
from server.crypto import KeyRing, MasterKey
from tests.support.cast import Clinic
from tests.support.commands import Done, everything, here


class Operator:
    """Somebody at the command line, with the keys of the tests' clinics and a new one."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.old, self.new = folder / "old.key", folder / "new.key"
        self.old.write_text(base64.b64encode(bytes(range(32))).decode())
        self.new.write_text(base64.b64encode(secrets.token_bytes(32)).decode())
        self.url = database_url

    async def does(self, *arguments: str, keys: str = "old", url: str | None = None) -> Done:
        """Run `warmline keys …` with these master keys, in this order."""
        files = ",".join(str(getattr(self, name)) for name in keys.split())
        return await here(
            "keys", *arguments, DATABASE_URL=url or self.url, REDIS_URL="redis://127.0.0.1:1/0", WARMLINE_PROFILE="dev",
            WARMLINE_MASTER_KEY_FILE=files, WARMLINE_TOKEN_ISSUER="none", WARMLINE_TOKEN_KEYS_FILE="/none",
        )  # fmt: skip

    async def tries(self, *arguments: str, keys: str = "old") -> str:
        """Run it dry; what it said. Nothing may have changed."""
        before = await everything(self.url)
        done = await self.does(*arguments, "--dry-run", keys=keys)
        assert (done.returncode, done.stderr) == (0, "")
        assert await everything(self.url) == before
        return done.stdout

    async def listed(self, keys: str = "old") -> list[dict[str, object]]:
        """What `keys list` says."""
        return list(json.loads((await self.does("list", "--json", keys=keys)).stdout))


@pytest.fixture
def operator(tmp_path: Path, database_url: str) -> Operator:
    return Operator(tmp_path, database_url)


async def texts(clinic: Clinic, channel: str, ring: KeyRing | None = None) -> list[str]:
    """What a reader reads, as a process that has just started."""
    clinic.database.keys = ring or KeyRing(MasterKey(bytes(range(32))), clinic.database)
    history = await clinic.call(clinic.clinician, "message.history", channel_id=channel)
    return [item.get("text", "(unreadable)") for item in reversed(history["items"]) if item["type"] == "message"]


async def test_a_master_key_is_made_for_its_owner_alone_and_never_overwritten(
    operator: Operator, tmp_path: Path
) -> None:
    path = tmp_path / "master.key"
    would = await here("keys", "make", str(path), "--dry-run")
    assert (would.returncode, path.exists()) == (0, False)
    assert str(path) in would.stdout
    assert (await here("keys", "make", str(path))).returncode == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    made = path.read_text()
    MasterKey.read(path)
    assert len(set(base64.b64decode(made))) > 16
    for options in ([], ["--dry-run"]):
        again = await here("keys", "make", str(path), *options)
        assert (again.returncode, path.read_text()) == (1, made)
        assert "never overwritten" in again.stderr
    dangling = tmp_path / "link"
    dangling.symlink_to(tmp_path / "elsewhere")
    assert (await here("keys", "make", str(dangling))).returncode == 1
    assert not (tmp_path / "elsewhere").exists()
    assert (await here("keys", "make", str(tmp_path / "no" / "folder"))).returncode == 1


@pytest.mark.catalogue("S32")
async def test_a_data_key_is_rotated_emptied_and_dropped_and_no_word_is_lost(
    operator: Operator, clinic: Clinic, elsewhere: Clinic, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reencryption, "BATCH", 3)
    channel = await clinic.care_team(await clinic.patient())
    words = [f"Words {number}" for number in range(8)]
    for number, word in enumerate(words):
        await clinic.send(clinic.clinician, channel, word, f"c{number}")
    [first] = [key["id"] for key in await operator.listed() if key["organization_id"] == clinic.organization_id]
    assert f"retire {first}" in await operator.tries("rotate", clinic.organization_id)
    assert (await operator.does("rotate", clinic.organization_id)).returncode == 0
    mine = [key for key in await operator.listed() if key["organization_id"] == clinic.organization_id]
    assert [(key["id"] == first, key["retired_at"] is None, key["records"]) for key in mine] == [
        (True, False, 8), (False, True, 0),
    ]  # fmt: skip
    assert len(await operator.listed()) == 3, "the other organisation keeps its one key"
    assert "re-encrypt` first" in await operator.tries("drop")
    assert (await operator.does("drop")).returncode == 0
    assert len(await operator.listed()) == 3

    assert "Would close 8 " in await operator.tries("re-encrypt")
    assert "Closed 8 " in (await operator.does("re-encrypt", "--pause", "0")).stdout
    assert "Closed 0 " in (await operator.does("re-encrypt", "--pause", "0")).stdout
    assert await texts(clinic, channel) == words
    assert (await clinic.send(clinic.clinician, channel, words[0], "c0"))["offset"] == 2, "a retry is still recognised"

    assert "still be in use" in (await operator.does("drop")).stdout, "a gateway may close with it for a minute"
    await owner.execute("update organization_keys set retired_at = now() - interval '6 minutes' where id = $1", first)
    assert f"Would drop {first}" in await operator.tries("drop")
    assert f"Dropped {first}" in (await operator.does("drop")).stdout
    assert first not in [key["id"] for key in await operator.listed()]
    assert await texts(clinic, channel) == words
    [entry] = await owner.fetch("select * from audit_entries where operation = 'keys.rotate'")
    assert (entry["organization_id"], entry["actor_id"]) == (clinic.organization_id, None)


@pytest.mark.catalogue("S32")
async def test_a_key_that_a_record_still_names_cannot_be_dropped_whoever_tries(
    clinic: Clinic, owner: asyncpg.Connection
) -> None:
    await clinic.send(clinic.clinician, await clinic.care_team(await clinic.patient()), "Words")
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await owner.execute("delete from organization_keys")


async def test_what_closes_records_under_data_keys_is_closed_anew(owner: asyncpg.Connection) -> None:
    assert [row["name"] for row in await owner.fetch(REFERRING)] == sorted(reencryption.TABLES)
    for table, columns in reencryption.TABLES.items():
        found = await owner.fetch(
            """select attname from pg_attribute where attrelid = $1::regclass and atttypid = 'bytea'::regtype
                and attnum > 0 and not attisdropped order by 1""",
            table,
        )
        assert [row["attname"] for row in found] == sorted(columns)


@pytest.mark.catalogue("S32")
async def test_every_revision_is_closed_anew_with_its_reason_and_a_deleted_one_too(
    operator: Operator, clinic: Clinic, owner: asyncpg.Connection
) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    sent = await clinic.send(patient, channel, "First wording")
    about = {"channel_id": channel, "message_id": sent["message_id"]}
    edit = {"text": "Second wording", "reason": "Because"}
    await clinic.call(clinic.clinician, "message.edit", **about, expected_revision=1, **edit)
    await clinic.call(clinic.clinician, "message.delete", **about, expected_revision=2, reason="Gone")
    before = await clinic.call(clinic.clinician, "message.revisions", **about)
    assert [(it["text"], it["reason"]) for it in before["revisions"]] == [
        ("First wording", None), ("Second wording", "Because"), (None, "Gone"),
    ]  # fmt: skip
    await operator.does("rotate", "--all")
    assert "Closed 3 " in (await operator.does("re-encrypt", "--pause", "0")).stdout
    assert {key["records"] for key in await operator.listed() if key["retired_at"]} == {0}
    clinic.database.keys = KeyRing(MasterKey(bytes(range(32))), clinic.database)
    assert await clinic.call(clinic.clinician, "message.revisions", **about) == before


@pytest.mark.catalogue("S32")
async def test_a_damaged_record_keeps_its_key_and_is_named(
    operator: Operator, clinic: Clinic, owner: asyncpg.Connection
) -> None:
    channel = await clinic.care_team(await clinic.patient())
    good, bad = [await clinic.send(clinic.clinician, channel, word) for word in ("Good", "Bad")]
    await owner.execute(
        "update message_revisions set ciphertext = set_byte(ciphertext, 20, 255 - get_byte(ciphertext, 20))"
        " where message_id = $1",
        bad["message_id"],
    )
    await operator.does("rotate", "--all")
    done = await operator.does("re-encrypt", "--pause", "0")
    assert (done.returncode, "Closed 1 " in done.stdout) == (1, True)
    assert bad["message_id"] in done.stdout
    assert good["message_id"] not in done.stdout
    counted = metrics.UNREADABLE.labels("message")._value.get()
    assert await texts(clinic, channel) == ["Good", "(unreadable)"]
    assert metrics.UNREADABLE.labels("message")._value.get() == counted + 1, "an operator hears of it"


@pytest.mark.catalogue("S32")
async def test_a_new_master_key_wraps_all_or_none(
    operator: Operator, clinic: Clinic, elsewhere: Clinic, owner: asyncpg.Connection
) -> None:
    channel = await clinic.care_team(await clinic.patient())
    await clinic.send(clinic.clinician, channel, "Words")
    await operator.does("rotate", clinic.organization_id)
    said = await operator.tries("rewrap", keys="new old")
    assert said.count("Would wrap") == 3
    assert (await operator.does("rewrap", keys="new")).returncode == 1, "a key that no known master key opens"
    assert {key["wrapped_by"] for key in await operator.listed()} == {str(operator.old)}
    assert (await operator.does("rewrap", keys="new old")).stdout.count("Wrapped") == 3
    assert {key["wrapped_by"] for key in await operator.listed(keys="new")} == {str(operator.new)}
    assert {key["wrapped_by"] for key in await operator.listed(keys="old")} == {None}
    assert "nothing to do" in (await operator.does("rewrap", keys="new old")).stdout
    assert await texts(clinic, channel, KeyRing(MasterKey.read(operator.new), clinic.database)) == ["Words"]
    entries = await owner.fetch("select facts from audit_entries where operation = 'keys.rewrap' order by facts::text")
    assert [json.loads(entry["facts"]) for entry in entries] == [{"keys": 1}, {"keys": 2}]


async def test_rotating_takes_a_name_and_a_known_one(operator: Operator) -> None:
    nobody = await operator.does("rotate")
    assert (nobody.returncode, nobody.stdout) == (1, "")
    unknown = await operator.does("rotate", "org_" + "0" * 20)
    assert (unknown.returncode, "There is no organisation" in unknown.stderr) == (1, True)


async def test_the_application_cannot_change_or_drop_what_is_written(
    operator: Operator, clinic: Clinic, owner: asyncpg.Connection
) -> None:
    name = clinic.organization_id
    await owner.execute(f"create role {name} login password 'for-the-test' in role warmline_app")
    try:
        login = operator.url.replace("//warmline:", f"//{name}:").replace(
            operator.url.split(":")[2].split("@")[0], "for-the-test"
        )
        for command in ("re-encrypt", "drop"):
            for options in ([], ["--dry-run"]):
                refused = await operator.does(command, *options, url=login)
                assert (refused.returncode, refused.stdout) == (2, "")
                assert "owns the tables" in refused.stderr
        assert (await operator.does("rotate", "--all", url=login)).returncode == 0
    finally:
        await owner.execute(f"drop role {name}")
