"""`schema check` refuses whatever this code must not run on: nothing, something else, something changed, something unsafe."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from server import schema
from server.dev.embedded import Postgres
from server.errors import Misconfigured
from tests.support.cluster import Databases

CHANGES = {
    "a dropped constraint": "alter table memberships drop constraint memberships_no_patient_among_staff",
    "a dropped index": "drop index people_one_email",
    "a dropped trigger": "drop trigger patient_channel_has_staff on people",
    "a disabled trigger": "alter table memberships disable trigger patient_channel_has_staff",
    "disabled references": "alter table messages disable trigger all",
    "another function body": """create or replace function require_staff(organization text, channel text) returns void
                                language plpgsql as $$ begin return; end $$""",
    "a new column": "alter table people add column nickname text",
    "a column that may be null": "alter table people alter column email drop not null",
    "another default": "alter table people alter column status set default 'archived'",
    "a new table": "create table extra (n int)",
    "a new view": "create view everything as select * from messages",
    "a table that a crash empties": "alter table message_revisions set unlogged",
    "a rule": "create rule lose_events as on insert to events do instead nothing",
    "row security": "alter table messages enable row level security",
    "a right to delete": "grant delete on messages to warmline_app",
    "a right to delete for everybody": "grant delete on channels to public",
    "a right to change one column of the log": "grant update (facts) on events to warmline_app",
    "a right to read the access log": "grant select on audit_entries to warmline_app",
    "a right of the sealer to rewrite": "grant update on audit_entries to warmline_sealer",
    "a right of the auditor to delete": "grant delete on audit_heads to warmline_auditor",
    "a column of the queue": "alter table jobs.pgqueuer add column n int",
    "a trigger of the queue": "drop trigger tg_pgqueuer_changed on jobs.pgqueuer",
    "a state of the queue": "alter type jobs.pgqueuer_status add value 'lost'",
    "a right taken away": "revoke insert on messages from warmline_app",
}


@pytest.fixture
async def changed(databases: Databases) -> AsyncIterator[str]:
    """A database to change and throw away."""
    url = await databases.create()
    yield url
    await databases.drop(url)


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_what_apply_made_passes_and_applying_again_changes_nothing(database_url: str) -> None:
    await schema.check(database_url)
    await schema.apply(database_url)
    await schema.check(database_url)
    assert await schema.matches(database_url)


async def test_an_empty_database_is_refused_with_the_fix(empty_database_url: str) -> None:
    assert await schema.is_empty(empty_database_url)
    with pytest.raises(Misconfigured, match="warmline schema apply"):
        await schema.check(empty_database_url)


async def test_schema_apply_leaves_a_strangers_database_alone(empty_database_url: str) -> None:
    await execute(empty_database_url, "create table theirs (n int)")
    with pytest.raises(Misconfigured, match="no Warmline schema"):
        await schema.apply(empty_database_url)
    assert not await schema.matches(empty_database_url)


async def test_a_change_by_hand_is_seen(changed: str) -> None:
    """One database takes all changes, one upon the other; each is taken for granted once it has been seen."""
    connection = await asyncpg.connect(changed)
    unseen = []
    for what, statement in CHANGES.items():
        await connection.execute(statement)
        if await schema.matches(changed):
            unseen.append(what)
        await connection.execute("update schema_state set fingerprint = $1", await schema._fingerprint(connection))
        assert await schema.matches(changed)
    await connection.close()
    assert unseen == []


async def test_a_changed_schema_is_refused_with_what_to_do(changed: str) -> None:
    await execute(changed, CHANGES["a dropped constraint"])
    with pytest.raises(Misconfigured, match=r"changed by hand.*Undo the change"):
        await schema.check(changed)


async def test_another_versions_schema_is_refused(changed: str) -> None:
    await execute(changed, "update schema_state set fingerprint = reverse(fingerprint)")
    with pytest.raises(Misconfigured, match="another version"):
        await schema.check(changed)


@pytest.mark.parametrize("value", ["off", "local"])
async def test_commits_that_do_not_wait_for_the_disk_are_refused(changed: str, value: str) -> None:
    name = urlsplit(changed).path.lstrip("/")
    await execute(changed, f"alter database {name} set synchronous_commit = {value}")
    with pytest.raises(Misconfigured, match=f"synchronous_commit is {value}"):
        await schema.check(changed)


async def test_a_login_that_may_not_act_as_the_application_is_told_how_it_may(changed: str) -> None:
    name = urlsplit(changed).path.lstrip("/")
    await execute(changed, f"create role {name} login password 'for-the-test'")
    try:
        parts = urlsplit(changed)
        login = urlunsplit(parts._replace(netloc=f"{name}:for-the-test@{parts.hostname}:{parts.port}"))
        with pytest.raises(Misconfigured, match="grant warmline_app to"):
            await schema.check(login)
        await execute(changed, f"grant warmline_app to {name}")
        await schema.check(login)
    finally:
        await execute(changed, f"drop owned by {name}", f"drop role {name}")


async def test_a_server_that_may_lose_what_it_acknowledged_is_refused(
    own_postgres: Postgres, own_database_url: str
) -> None:
    for setting in ("fsync", "full_page_writes"):
        await execute(own_postgres.url(), f"alter system set {setting} = off")
        await own_postgres.restart()
        with pytest.raises(Misconfigured, match=f"{setting} is off"):
            await schema.check(own_database_url)
        await execute(own_postgres.url(), f"alter system reset {setting}")
    await own_postgres.restart()
    await schema.check(own_database_url)
