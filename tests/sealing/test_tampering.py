"""What the owner of the database can do to the access log, done to a real one: each is found, and pointed at."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.errors import Misconfigured, NotFound
from server.sealing import keys
from server.sealing.chain import NOTHING, link, parsed
from server.sealing.export import export, heads, reading
from server.sealing.heads import Head, key_id, public_text
from server.sealing.lines import NotAnExport, check
from server.sealing.sealer import ENTRY, TIME, Sealer
from server.sealing.verifying import Verification
from tests.support.cast import Clinic
from tests.support.commands import here

LENGTH = 12


@dataclass
class Log:
    """An organisation's access log with seals and heads, and what an auditor keeps elsewhere."""

    clinic: Clinic
    owner: asyncpg.Connection
    url: str
    key: Ed25519PrivateKey
    sealer: Sealer
    kept: list[Head] = field(default_factory=list)

    async def grow(self, entries: int) -> None:
        """Accesses that happen, one round of the sealer for each two."""
        for number in range(entries):
            await self.clinic.call(self.clinic.clinician, "patient.list")
            if number % 2:
                await self.seal()

    async def seal(self) -> None:
        async with self.clinic.database.transaction() as tx:
            await self.sealer.seal(tx)

    async def sign(self) -> None:
        async with self.clinic.database.transaction() as tx:
            self.kept += await self.sealer.sign(tx)

    async def do(self, *statements: str) -> None:
        """As the owner, who can switch off what stands in the way."""
        async with self.owner.transaction():
            await self.owner.execute("set local session_replication_role = replica")
            for statement in statements:
                await self.owner.execute(statement)

    async def lines(self, **span: Any) -> list[str]:
        async with reading(self.url) as connection:
            return [line async for line in export(connection, self.clinic.organization_id, **span)]

    async def verified(self, kept: bool = False) -> Verification:
        made = Verification(
            {key_id(self.key.public_key()): self.key.public_key()}, self.kept if kept else [], trusted=True
        )
        check(await self.lines(), made)
        return made


@pytest.fixture
async def log(clinic: Clinic, owner: asyncpg.Connection, database_url: str) -> Log:
    key = Ed25519PrivateKey.generate()
    made = Log(clinic, owner, database_url, key, Sealer(key))
    await made.grow(6)
    await made.sign()
    await made.grow(LENGTH - 6)
    await made.sign()
    return made


AT = "(select entry_id from audit_seals where sequence = {})"
WRITE = """insert into audit_entries (organization_id, id, at, operation, request_id) overriding system value
  select organization_id, {}, {}, 'patient.read', 'request' from audit_seals where sequence = 1"""
RENUMBER = "update audit_seals set sequence = sequence {} where sequence > {}"
OUT_OF_THE_WAY = (
    "alter table audit_seals drop constraint audit_seals_pkey cascade",
    "alter table audit_seals drop constraint audit_seals_entry_id_organization_id_key",
)
TAMPERING: dict[str, tuple[tuple[str, ...], tuple[int, str], bool]] = {
    "an entry's operation": ((f"update audit_entries set operation = 'me' where id = {AT.format(5)}",), (5, "changed"), False),
    "an entry's actor": ((f"update audit_entries set actor_id = null where id = {AT.format(1)}",), (1, "changed"), False),
    "an entry's facts": (
        (f"update audit_entries set facts = '{{\"n\": 1}}' where id = {AT.format(12)}",), (12, "changed"), False),
    "an entry's time": (
        (f"update audit_entries set at = at - interval '1 day' where id = {AT.format(5)}",), (5, "changed"), False),
    "an entry's time by a microsecond": (
        (f"update audit_entries set at = at + interval '1 microsecond' where id = {AT.format(5)}",), (5, "changed"), False),
    "a time out of all bounds": (
        (f"update audit_entries set at = '-infinity' where id = {AT.format(5)}",), (5, "changed"), False),
    "a seal's hash": (("update audit_seals set hash = repeat('0', 64) where sequence = 5",), (5, "changed"), False),
    "an entry deleted": ((f"delete from audit_entries where id = {AT.format(5)}",), (5, "deleted"), False),
    "an entry deleted with its seal": (
        (f"delete from audit_entries where id = {AT.format(5)}", "delete from audit_seals where sequence = 5"),
        (5, "deleted"), False),
    "the first three deleted with their seals": (
        (f"delete from audit_entries where id <= {AT.format(3)}", "delete from audit_seals where sequence <= 3"),
        (1, "deleted"), False),
    "an entry deleted, the rest renumbered": (
        (*OUT_OF_THE_WAY, f"delete from audit_entries where id = {AT.format(5)}", "delete from audit_seals where sequence = 5",
         RENUMBER.format("- 1", 5)), (5, "deleted"), False),
    "an entry put in where the sealer has gone past": ((WRITE.format(0, "now()"),), (13, "inserted"), False),
    "an entry put in with a seal, the rest renumbered": (
        (*OUT_OF_THE_WAY, RENUMBER.format("+ 1", 4), WRITE.format(0, "now()"),
         """insert into audit_seals select organization_id, 5, 0, repeat('0', 64), sealed_at, false
              from audit_seals where sequence = 4"""), (5, "inserted"), False),
    "two exchanged": (
        (*OUT_OF_THE_WAY, """update audit_seals s set entry_id = o.entry_id from audit_seals o
            where (s.sequence, o.sequence) in ((4, 9), (9, 4))"""), (4, "moved"), False),
    "two seals exchanged": (
        (*OUT_OF_THE_WAY, "update audit_seals set sequence = case sequence when 4 then 9 else 4 end where sequence in (4, 9)"),
        (4, "changed"), False),
    "a head taken for another": (("update audit_heads set sequence = 5 where sequence = 6",), (5, "forged head"), False),
    "a head deleted": (("delete from audit_heads where sequence = 12",), (0, ""), False),
    "seals and heads deleted": (
        ("delete from audit_heads where sequence > 6", "delete from audit_seals where sequence > 6"), (7, "inserted"), False),
    "the tail cut off": (
        (f"delete from audit_entries where id > {AT.format(8)}", "delete from audit_seals where sequence > 8",
         "delete from audit_heads where sequence > 8"), (9, "cut"), True),
    "everything truncated": (
        ("truncate audit_entries, audit_seals, audit_heads, audit_signing_keys", "update audit_mark set entry_id = 0"),
        (1, "cut"), True),
}  # fmt: skip
"""What is done; where and what the first finding is; whether it takes a head that was kept outside to find it."""


@pytest.mark.catalogue("S28")
@pytest.mark.parametrize("what", TAMPERING)
async def test_what_the_owner_does_is_found_where_it_was_done(log: Log, what: str) -> None:
    assert (await log.verified(kept=True)).findings == []
    statements, expected, needs_heads = TAMPERING[what]
    await log.do(*statements)
    found = await log.verified()
    first = (found.findings[0].sequence, found.findings[0].what) if found.findings else (0, "")
    assert first == ((0, "") if needs_heads else expected), found.findings
    outside = (await log.verified(kept=True)).findings
    if expected != (0, ""):
        assert (outside[0].sequence, outside[0].what) == expected, outside


@pytest.mark.catalogue("S28")
async def test_a_chain_computed_anew_is_found_by_the_heads_that_are_left(log: Log) -> None:
    """The owner knows how seals are made. What they cannot make is a signature."""
    await log.do(f"update audit_entries set operation = 'me' where id = {AT.format(9)}")
    rows = await log.owner.fetch(
        f"""select s.sequence, {TIME.format("s.sealed_at")} as sealed_at, s.more, {ENTRY} from audit_seals s
            join audit_entries e on e.id = s.entry_id order by s.sequence"""
    )
    previous = NOTHING
    for row in rows:
        one: dict[str, Any] = dict(row)
        sequence, sealed_at, more = (one.pop(name) for name in ("sequence", "sealed_at", "more"))
        previous = link(previous, sequence, sealed_at, more, one | {"facts": parsed(one["facts"])})
        await log.do(f"update audit_seals set hash = '{previous}' where sequence = {sequence}")
    found = await log.verified()
    assert [(one.sequence, one.what) for one in found.findings] == [(7, "written anew")]
    await log.do("delete from audit_heads where sequence = 12")
    hidden = await log.verified()
    assert hidden.findings == []
    assert hidden.notes == [
        "#7 to #12: no signed head covers it; whoever owns the database could have written it anew."
    ]
    assert [one.what for one in (await log.verified(kept=True)).findings] == ["written anew"]


@pytest.mark.catalogue("S28")
async def test_an_entry_that_the_owner_writes_with_an_old_time_is_found(log: Log) -> None:
    """The sealer seals it in good faith; but it was there an hour ago, and there was no such entry."""
    id = await log.owner.fetchval("select max(id) + 1 from audit_entries")
    await log.do(
        WRITE.format(id, "now() - interval '1 hour'"), "select setval('audit_entries_id_seq', " + str(id) + ")"
    )
    await log.seal()
    [found] = (await log.verified()).findings
    assert (found.sequence, found.what) == (LENGTH + 1, "backdated")


async def test_the_foreign_keys_alone_stop_whoever_forgets_them(log: Log) -> None:
    for statement in (
        "delete from audit_entries",
        "delete from audit_seals",
        "update audit_seals set entry_id = -entry_id",
    ):
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await log.owner.execute(statement)


async def test_entries_without_a_seal_are_exported_and_told_apart(log: Log) -> None:
    await log.clinic.call(log.clinic.clinician, "patient.list")
    found = await log.verified(kept=True)
    assert (found.findings, found.seals, found.unsealed) == ([], LENGTH, 1)


@pytest.mark.catalogue("S28")
async def test_the_key_is_changed_and_both_are_needed(log: Log, tmp_path: Path) -> None:
    new = Ed25519PrivateKey.generate()
    old, log.key, log.sealer = log.key, new, Sealer(new)
    await log.grow(2)
    await log.sign()
    assert [one.what for one in (await log.verified()).findings] == ["unknown signature"] * 2
    both = {key_id(key.public_key()): key.public_key() for key in (old, new)}
    made = Verification(both, log.kept, trusted=True)
    check(await log.lines(), made)
    assert (made.findings, made.notes) == ([], [])


async def test_a_span_of_the_log(log: Log) -> None:
    times = [row[0] for row in await log.owner.fetch("select sealed_at from audit_seals order by sequence")]
    middle = times[4].isoformat()
    later, earlier = await log.lines(since=middle), await log.lines(until=middle)
    places = [
        [json.loads(line).get("sequence") for line in lines if '"sealed"' in line[:20]] for lines in (earlier, later)
    ]
    assert places == [[1, 2, 3, 4], list(range(5, LENGTH + 1))]
    for lines in (earlier, later):
        made = Verification({key_id(log.key.public_key()): log.key.public_key()}, log.kept[1:], trusted=True)
        check(lines, made)
        assert made.findings == []
        beyond = "The head at #12 lies beyond this span and was not compared."
        assert (beyond in made.notes) == (lines is earlier)
    assert len(await log.lines(since="2100-01-01T00:00:00+00:00")) == 2


async def test_another_organisations_log_is_another(log: Log, elsewhere: Clinic) -> None:
    await elsewhere.call(elsewhere.clinician, "patient.list")
    await log.seal()
    lines = await log.lines()
    assert elsewhere.organization_id not in "".join(lines)
    async with reading(log.url) as connection:
        assert len([line async for line in export(connection, elsewhere.organization_id)]) == 3
        with pytest.raises(NotFound):
            [line async for line in export(connection, "org_nobodys")]
        assert {head.sequence for head in await heads(connection, None, all=True)} == {6, 12}
        assert [head.sequence for head in await heads(connection, log.clinic.organization_id)] == [12]


FILES: dict[str, Any] = {
    "nothing": lambda lines: [],
    "no JSON": lambda lines: ["hello"],
    "no first line": lambda lines: lines[1:],
    "two logs": lambda lines: [*lines, *lines],
    "no last line": lambda lines: lines[:-1],
    "half a line": lambda lines: [*lines[:3], lines[3][:40]],
    "a line of another kind": lambda lines: [lines[0], '{"kind": "party"}', *lines[1:]],
    "a sequence that is no number": lambda lines: [lines[0], lines[1].replace('"sequence":1', '"sequence":"1"')],
    "an entry that is none": lambda lines: [lines[0], '{"kind":"waiting","entry":[]}'],
    "no entry that waits": lambda lines: [lines[0], '{"kind":"waiting","entry":null}'],
    "not UTF-8": lambda lines: [b"\xff\xfe"],
    "a nest of brackets": lambda lines: ["[" * 100_000],
}


@pytest.mark.parametrize("what", FILES)
async def test_a_file_that_is_no_export_is_told_so(log: Log, what: str) -> None:
    made = Verification({}, trusted=False)
    with pytest.raises(NotAnExport, match=r"[Ll]ine \d+"):
        check(FILES[what](await log.lines()), made)


@pytest.mark.catalogue("S28")
async def test_on_the_command_line_with_a_file_and_nothing_else(log: Log, tmp_path: Path) -> None:
    file, kept = tmp_path / "export.jsonl", tmp_path / "heads.jsonl"
    organization = log.clinic.organization_id
    exported = await here("audit", "export", organization, DATABASE_URL=log.url)
    file.write_text(exported.stdout)
    printed = await here("audit", "heads", "--all", DATABASE_URL=log.url)
    kept.write_text(printed.stdout)
    assert [Head.read(json.loads(line)) for line in printed.stdout.splitlines()] == log.kept
    trust = ("--public-key", public_text(log.key.public_key()), "--head", str(kept))
    whole = await here("audit", "verify", str(file), *trust)
    assert (whole.returncode, whole.stderr) == (0, "")
    assert whole.stdout == f"The log is whole: {LENGTH} entries sealed, to #{LENGTH}; 0 waiting for their seal.\n"
    lines = exported.stdout.splitlines(keepends=True)
    file.write_text("".join([*lines[:4], *lines[5:]]))
    cut = await here("audit", "verify", str(file), *trust)
    assert cut.returncode == 1
    assert cut.stdout.startswith("The log is NOT whole. First place: #4: deleted. It is missing.\n")
    file.write_text("".join(lines[:-1]))
    assert "The file ends after line" in (await here("audit", "verify", str(file), *trust)).stdout
    untrusted = await here(
        "audit", "verify", str(file), "--public-key", public_text(Ed25519PrivateKey.generate().public_key())
    )
    assert "none of those you trust" in untrusted.stdout


async def test_on_the_command_line_against_the_database(log: Log, elsewhere: Clinic) -> None:
    whole = await here("audit", "verify", DATABASE_URL=log.url)
    assert whole.returncode == 0
    assert f"{log.clinic.organization_id}\nThe log is whole: {LENGTH} entries sealed" in whole.stdout
    assert elsewhere.organization_id in whole.stdout
    await log.do(f"update audit_entries set operation = 'me' where id = {AT.format(5)}")
    broken = await here("audit", "verify", "--organization", log.clinic.organization_id, DATABASE_URL=log.url)
    assert broken.returncode == 1
    assert "First place: #5: changed. Entry " in broken.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("verify", "/nowhere"), "/nowhere: it cannot be read"),
        (("verify", "--public-key", "AAAA"), "--public-key: not an Ed25519 public key"),
        (("verify", "--head", "/nowhere"), "/nowhere holds no heads"),
        (("keys",), "WARMLINE_AUDIT_KEY_FILE: not set"),
    ],
)
async def test_what_is_wrong_on_the_command_line_is_said(
    arguments: tuple[str, ...], says: str, database_url: str
) -> None:
    done = await here("audit", *arguments, DATABASE_URL=database_url)
    assert done.returncode == 2
    assert says in done.stderr


async def test_a_key_is_made_once_and_shown(tmp_path: Path, log: Log) -> None:
    file = tmp_path / "audit.pem"
    assert "Would make" in (await here("audit", "make-key", str(file), "--dry-run")).stdout
    assert not file.exists()
    made = await here("audit", "make-key", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert (await here("audit", "make-key", str(file))).returncode == 2
    assert (await here("audit", "keys", WARMLINE_AUDIT_KEY_FILE=str(file))).stdout == made.stdout
    assert made.stdout == f"{key_id(keys.read(file).public_key())} {public_text(keys.read(file).public_key())}\n"
    public = key_id(log.key.public_key()) + " " + public_text(log.key.public_key()) + "\n"
    assert (await here("audit", "keys", "--database", DATABASE_URL=log.url)).stdout == public
    for content in (b"", b"no key", file.read_bytes().replace(b"PRIVATE", b"PUBLIC")):
        (tmp_path / "wrong").write_bytes(content)
        with pytest.raises(Misconfigured, match="cannot be read as a private key"):
            keys.read(tmp_path / "wrong")
