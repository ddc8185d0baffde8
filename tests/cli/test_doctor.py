"""`warmline doctor`: each thing that can be wrong is put wrong, for real, and doctor finds it and says what to do."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import redis.asyncio as redis

from server.bus import Bus
from server.cli.checks import clock, disk, findings
from server.cli.checks import keys as key_checks
from server.dev.datafolder import DataFolder, write
from server.dev.embedded import Postgres, Redis
from server.sealing.keys import make
from tests.support.cast import Clinic
from tests.support.commands import everything, here
from tests.support.mailbox import relaying
from tests.support.provider import providing

Findings = list[dict[str, str]]
Doctor = Callable[..., Awaitable[tuple[int, Findings]]]


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> dict[str, str]:
    """The settings of a `warmline dev` over this test's database, with the master key of the tests' clinics."""
    with DataFolder(tmp_path).held():
        found = DataFolder(tmp_path).key_settings() | {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    write(Path(found["WARMLINE_MASTER_KEY_FILE"]), base64.b64encode(bytes(range(32))).decode())
    return found


@pytest.fixture
def doctor(settings: dict[str, str]) -> Doctor:
    """doctor(**changes) → exit status, and what it found except about this machine's disk."""

    async def doctor(**changes: str) -> tuple[int, Findings]:
        done = await here("doctor", "--json", **settings | changes)
        assert done.stderr == ""
        for secret in ("DATABASE_URL", "REDIS_URL"):
            password = urlsplit((settings | changes)[secret]).password
            assert not password or password not in done.stdout
        found = json.loads(done.stdout)
        worst = max(findings.EXIT[finding["level"]] for finding in found)
        assert done.returncode == worst
        return done.returncode, [finding for finding in found if finding["part"] != "disk"]

    return doctor


def wrong(found: Findings) -> list[tuple[str, str, str]]:
    """What is not well, without what is never well in these tests: their made-up master key, and no mail relay."""
    never = ("made up by somebody", "nobody is emailed")
    return [
        (finding["level"], finding["part"], f"{finding['says']} → {finding['do']}")
        for finding in found
        if finding["level"] != "ok" and not any(words in finding["says"] for words in never)
    ]


async def test_all_is_well_and_nothing_is_changed(doctor: Doctor, clinic: Clinic, settings: dict[str, str]) -> None:
    before = await everything(settings["DATABASE_URL"])
    _, found = await doctor()
    assert wrong(found) == []
    assert {finding["part"] for finding in found} == {
        "settings",
        "sign-in",
        "database",
        "redis",
        "clock",
        "keys",
        "mail",
    }
    assert await everything(settings["DATABASE_URL"]) == before
    said = (await here("doctor", **settings)).stdout
    assert "→" in said
    assert "0 errors" in said


async def test_beside_a_running_dev_it_looks_at_that_one(settings: dict[str, str], tmp_path: Path) -> None:
    with DataFolder(tmp_path).held():
        write(DataFolder(tmp_path).settings, json.dumps(settings))
        done = await here("doctor", WARMLINE_DATA=str(tmp_path))
    assert "reachable: Postgres" in done.stdout
    assert "error " not in done.stdout


async def test_every_wrong_setting_is_named_and_the_rest_is_looked_at_all_the_same(doctor: Doctor) -> None:
    status, found = await doctor(PORT="http", WARMLINE_PROFILE="staging", WARMLINE_ALOWED_ORIGINS="https://a.example")
    assert status == 2
    assert [(level, says.split(":")[0]) for level, _, says in wrong(found)] == [
        ("error", "PORT"), ("error", "WARMLINE_PROFILE"), ("warning", "WARMLINE_ALOWED_ORIGINS"),
    ]  # fmt: skip
    assert {"database", "redis"} <= {finding["part"] for finding in found}


async def test_files_are_looked_at(doctor: Doctor, settings: dict[str, str]) -> None:
    Path(settings["WARMLINE_MASTER_KEY_FILE"]).chmod(0o640)
    Path(settings["WARMLINE_TOKEN_KEYS_FILE"]).unlink()
    _, found = await doctor()
    assert [(level, part, says.split(":")[0]) for level, part, says in wrong(found)] == [
        ("warning", "settings", "WARMLINE_MASTER_KEY_FILE"), ("error", "settings", "WARMLINE_TOKEN_KEYS_FILE"),
        ("error", "sign-in", "WARMLINE_TOKEN_KEYS_FILE"),
    ]  # fmt: skip
    assert "chmod 600" in wrong(found)[0][2]


async def test_the_sign_in_provider_is_asked(doctor: Doctor, settings: dict[str, str]) -> None:
    del settings["WARMLINE_TOKEN_KEYS_FILE"], settings["WARMLINE_DEV_KEY_FILE"]
    async with providing() as provider:
        _, found = await doctor(**provider.environment())
        assert [it["says"] for it in found if it["part"] == "sign-in"] == [
            "the sign-in provider answers, and has 1 keys that sign"
        ]
        _, found = await doctor(**provider.environment() | {"WARMLINE_TOKEN_ISSUER": provider.issuer + "/other"})
        assert [(level, part) for level, part, _ in wrong(found)] == [("error", "sign-in")]
    _, found = await doctor(**provider.environment())
    assert [(level, part) for level, part, _ in wrong(found)] == [("error", "sign-in")]


async def test_the_key_that_signs_the_access_log_is_looked_at(doctor: Doctor, tmp_path: Path) -> None:
    path = tmp_path / "audit.pem"
    make(path)
    _, found = await doctor(WARMLINE_AUDIT_KEY_FILE=str(path))
    assert wrong(found) == []
    assert "the key that signs the access log can be used" in [it["says"] for it in found]
    path.write_text("no key")
    _, found = await doctor(WARMLINE_AUDIT_KEY_FILE=str(path))
    assert [(level, part) for level, part, _ in wrong(found)] == [("error", "keys")]


async def test_the_key_that_signs_pushes_is_looked_at(doctor: Doctor, tmp_path: Path) -> None:
    _, found = await doctor()
    assert "the key that signs pushes can be used" in [it["says"] for it in found]
    _, found = await doctor(WARMLINE_VAPID_KEY_FILE="")
    assert [(level, part, "push is off" in says) for level, part, says in wrong(found)] == [("warning", "keys", True)]
    path = tmp_path / "vapid.pem"
    path.write_text("no key")
    path.chmod(0o600)
    _, found = await doctor(WARMLINE_VAPID_KEY_FILE=str(path))
    assert [(level, part) for level, part, _ in wrong(found)] == [("error", "keys")]


async def test_what_is_away_is_said_and_the_other_parts_are_looked_at(doctor: Doctor) -> None:
    away = {"DATABASE_URL": "postgresql://nobody:hidden@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
    for name, part, other in (("DATABASE_URL", "database", "redis"), ("REDIS_URL", "redis", "database")):
        status, found = await doctor(**{name: away[name]})
        assert status == 2
        assert [(level, where, says.split(":")[0]) for level, where, says in wrong(found)] == [("error", part, name)]
        assert other in {finding["part"] for finding in found}


CHANGES = {
    "synchronous_commit is off": "alter database {name} set synchronous_commit = off",
    "changed by hand": "alter table people add column nickname text",
    "Postgres writes the parameters": "alter database {name} set log_min_duration_statement = 0",
    "Postgres writes the rows": "alter database {name} set log_error_verbosity = 'default'",
    "room for 20 connections: 1 proc": "alter database {name} connection limit 20",
    "has no current data key": "update organization_keys set retired_at = now()",
    "opens under no master key": "update organization_keys set wrapped = set_byte(wrapped, 20, 255 - get_byte(wrapped, 20))",
}


@pytest.mark.parametrize("says", CHANGES)
async def test_each_thing_wrong_in_the_database_is_found(
    doctor: Doctor, clinic: Clinic, owner: asyncpg.Connection, says: str
) -> None:
    await owner.execute(CHANGES[says].format(name=await owner.fetchval("select current_database()")))
    status, found = await doctor()
    assert status > 0
    [(_, _, said)] = wrong(found)
    assert says in said
    assert " → " in said


async def test_a_database_without_the_schema_is_told(doctor: Doctor, empty_database_url: str) -> None:
    _, found = await doctor(DATABASE_URL=empty_database_url)
    assert [(level, part) for level, part, _ in wrong(found)] == [("error", "database")]
    assert "warmline schema apply" in wrong(found)[0][2]


async def test_a_login_is_looked_at(
    doctor: Doctor, clinic: Clinic, settings: dict[str, str], owner: asyncpg.Connection
) -> None:
    production = {
        "WARMLINE_PROFILE": "production",
        "WARMLINE_DEV_KEY_FILE": "",
        "WARMLINE_ALLOWED_ORIGINS": "https://a.example",
    }
    _, found = await doctor(**production)
    assert [says.split(" ")[-1] for level, _, says in wrong(found) if level == "warning" and "superuser" in says] == [
        "…"
    ]
    name = await owner.fetchval("select current_database()")
    await owner.execute(f"create role {name} login password 'for-the-test'")
    try:
        parts = urlsplit(settings["DATABASE_URL"])
        login = urlunsplit(parts._replace(netloc=f"{name}:for-the-test@{parts.hostname}:{parts.port}"))
        _, found = await doctor(DATABASE_URL=login, **production)
        assert f"grant warmline_app to {name}" in wrong(found)[0][2]
        await owner.execute(f"grant warmline_app to {name}")
        _, found = await doctor(DATABASE_URL=login, **production)
        assert wrong(found) == []
    finally:
        await owner.execute(f"drop role {name}")


async def test_a_server_that_may_lose_what_it_acknowledged_is_found(
    doctor: Doctor, own_postgres: Postgres, own_database_url: str
) -> None:
    for statement in ("fsync = off", "full_page_writes = off", "autovacuum = off"):
        connection = await asyncpg.connect(own_postgres.url())
        await connection.execute(f"alter system set {statement}")
        await connection.close()
    await own_postgres.restart()
    _, found = await doctor(DATABASE_URL=own_database_url)
    assert [says.split(" ")[0] for _, _, says in wrong(found)] == ["fsync", "full_page_writes", "autovacuum"]


async def test_keys_of_another_master_are_found_and_a_change_of_master_is_followed(
    doctor: Doctor, clinic: Clinic, settings: dict[str, str], tmp_path: Path
) -> None:
    old, new = settings["WARMLINE_MASTER_KEY_FILE"], tmp_path / "new.key"
    assert (await here("keys", "make", str(new))).returncode == 0
    _, found = await doctor(WARMLINE_MASTER_KEY_FILE=str(new))
    assert [(level, "no master key" in says) for level, _, says in wrong(found)] == [("error", True)]
    _, found = await doctor(WARMLINE_MASTER_KEY_FILE=f"{new},{old}")
    assert ["being changed" in says for _, _, says in wrong(found)] == [True, False]
    assert "warmline keys rewrap" in wrong(found)[1][2]
    new.write_text("nothing of the kind")
    _, found = await doctor(WARMLINE_MASTER_KEY_FILE=str(new))
    assert [part for _, part, _ in wrong(found)] == ["keys"]


async def test_a_master_key_that_was_made_up_is_an_error_in_production(doctor: Doctor, clinic: Clinic) -> None:
    for profile, level in (("dev", "warning"), ("production", "error")):
        _, found = await doctor(WARMLINE_PROFILE=profile, WARMLINE_DEV_KEY_FILE="")
        assert [it["level"] for it in found if "made up" in it["says"]] == [level]


@pytest.mark.catalogue("S32")
async def test_a_data_key_near_the_bound_of_its_nonces_is_named(
    doctor: Doctor, clinic: Clinic, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = await clinic.care_team(await clinic.patient())
    for _ in range(2):
        await clinic.send(clinic.clinician, channel, "Words")
    await owner.execute("analyze message_revisions")
    monkeypatch.setattr(key_checks, "USED_UP", 2)
    _, found = await doctor()
    [(level, _, says)] = wrong(found)
    assert (level, f"warmline keys rotate {clinic.organization_id}" in says) == ("warning", True)


@asynccontextmanager
async def rung(url: str) -> AsyncIterator[list[bytes]]:
    """The doorbell of two gateways with this login: what one of them hears of the other."""
    one, other = Bus(url), Bus(url)
    heard: list[bytes] = []
    one.receiver = lambda _topic, payload: heard.append(payload)
    one.listen("warmline:c:test")
    for bus in (one, other):
        await bus.start()
    async with asyncio.timeout(10):
        while not (one.connected and other.connected):
            await asyncio.sleep(0.01)
        other.publish("warmline:c:test", b"ding")
        while not heard:
            await asyncio.sleep(0.01)
    yield heard
    for bus in (one, other):
        await bus.stop()


async def test_a_redis_that_does_not_ring_is_found(doctor: Doctor, own_redis: Redis) -> None:
    url = own_redis.url()
    async with redis.Redis.from_url(url) as line:
        rights = ("resetchannels", "&warmline:*", "-@all", "+@pubsub", "+@connection", "+info", "+time")
        await line.execute_command("ACL", "SETUSER", "enough", "on", ">for-the-test", *rights)
        enough = url.replace(f":{own_redis.password}@", "enough:for-the-test@")
        _, found = await doctor(REDIS_URL=enough)
        assert [(level, "who is there cannot be kept" in says) for level, _, says in wrong(found)] == [
            ("warning", True)
        ]
        keys = ("~warmline:*", "+set", "+del", "+exists", "+hset", "+hdel", "+hgetall", "+expire")
        await line.execute_command("ACL", "SETUSER", "enough", *keys)
        _, found = await doctor(REDIS_URL=enough)
        assert [(level, "+zadd" in do) for level, _, do in wrong(found)] == [("warning", True)]
        reading = ("+zadd", "+zrem", "+zrange", "+zremrangebyrank", "+pexpire")
        await line.execute_command("ACL", "SETUSER", "enough", *reading)
        assert wrong((await doctor(REDIS_URL=enough))[1]) == []
        async with rung(enough) as heard:
            assert heard == [b"ding"], "what doctor says is enough is enough for a gateway"
        await line.execute_command("ACL", "SETUSER", "deaf", "on", ">for-the-test", "+@all", "~*", "resetchannels")
        deaf = url.replace(f":{own_redis.password}@", "deaf:for-the-test@")
        _, found = await doctor(REDIS_URL=deaf)
        assert [(level, "publishing is refused" in says) for level, _, says in wrong(found)] == [("error", True)]
        await line.execute_command("REPLICAOF", "127.0.0.1", "1")
        _, found = await doctor(REDIS_URL=url)
        assert [(level, "is a replica" in says) for level, _, says in wrong(found)] == [("error", True)]


def test_clocks_and_disks_are_judged() -> None:
    levels = [clock.judged("the database's", skew).level for skew in (0.2, -0.9, 1.5, -9.0, 11.0, -3600.0)]
    assert levels == ["ok", "ok", "warning", "warning", "error", "error"]
    assert [disk.judged("/data", free, 100).level for free in (80, 15, 14, 5, 4)] == [
        "ok",
        "ok",
        "warning",
        "warning",
        "error",
    ]


async def test_the_databases_clock_is_read(owner: asyncpg.Connection) -> None:
    assert abs(await clock.behind(owner)) < 5


async def test_the_mail_relay_is_tried(doctor: Doctor) -> None:
    async with relaying() as mailbox:
        mail = {
            "WARMLINE_SMTP_URL": f"smtp://relay:not-to-be-said@127.0.0.1:{mailbox.port}",
            "WARMLINE_MAIL_FROM": "notices@clinic.example",
            "WARMLINE_PUBLIC_URL": "https://chat.clinic.example",
        }
        _, found = await doctor(**mail)
        [(level, part, says)] = wrong(found)
        assert (level, part) == ("error", "mail")
        assert "offers no sign-in" in says
        assert "not-to-be-said" not in json.dumps(found)

        mail["WARMLINE_SMTP_URL"] = f"smtp://127.0.0.1:{mailbox.port}"
        _, found = await doctor(**mail)
        assert wrong(found) == []
        assert "takes emails from WARMLINE_MAIL_FROM" in next(each["says"] for each in found if each["part"] == "mail")

        mailbox.tell("MAIL", "553 5.7.1 not yours")
        _, found = await doctor(**mail)
        assert "refuses WARMLINE_MAIL_FROM (553)" in wrong(found)[0][2]
    _, found = await doctor(**mail)
    assert "cannot be reached" in wrong(found)[0][2]
    assert mailbox.received == []


@pytest.mark.parametrize(("profile", "level"), [("dev", "ok"), ("production", "warning")])
async def test_without_a_mail_relay_it_is_said_that_nobody_is_emailed(doctor: Doctor, profile: str, level: str) -> None:
    _, found = await doctor(WARMLINE_PROFILE=profile, WARMLINE_DEV_KEY_FILE="")
    [said] = [each for each in found if each["part"] == "mail"]
    assert said["level"] == level
    assert "nobody is emailed" in said["says"]
