"""What the application's role may do: it deletes nothing, rewrites no log and no wording, and only adds to the access log."""

import asyncpg
import pytest

APPEND_ONLY = ("events", "message_revisions", "encounter_notes", "group_form_submissions")
READ_ONLY = ("log_generation", "schema_state")


@pytest.fixture
async def application(owner: asyncpg.Connection) -> asyncpg.Connection:
    """The owner's connection, acting as the application."""
    await owner.execute("set role warmline_app")
    return owner


async def tables(connection: asyncpg.Connection) -> list[str]:
    rows = await connection.fetch(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
    )
    return [row["relname"] for row in rows]


async def refused(connection: asyncpg.Connection, statement: str) -> bool:
    """Whether the role may not do this at all."""
    try:
        async with connection.transaction():
            await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return True
    return False


@pytest.mark.parametrize(
    "statement", ["delete from {}", "truncate {} cascade", "drop table {}", "alter table {} add n int"]
)
async def test_nothing_is_ever_deleted(application: asyncpg.Connection, statement: str) -> None:
    names = await tables(application)
    assert len(names) > 10
    assert [name for name in names if not await refused(application, statement.format(name))] == []


@pytest.mark.parametrize("table", [*APPEND_ONLY, *READ_ONLY, "audit_entries"])
async def test_history_is_never_rewritten(application: asyncpg.Connection, table: str) -> None:
    rows = await application.fetch(
        """select attname from pg_attribute where attrelid = $1::regclass and attnum > 0
              and not attisdropped and attgenerated = '' and attidentity = ''""",
        table,
    )
    columns = [row["attname"] for row in rows]
    assert [column for column in columns if not await refused(application, f"update {table} set {column} = null")] == []


@pytest.mark.parametrize("table", READ_ONLY)
async def test_what_operators_keep_is_read_only(application: asyncpg.Connection, table: str) -> None:
    assert await refused(application, f"insert into {table} default values")
    await application.fetch(f"select * from {table}")


async def test_the_access_log_takes_entries_and_shows_none(application: asyncpg.Connection) -> None:
    organization = "org_00000000000000000000"
    await application.execute("insert into organizations (id, name) values ($1, 'Clinic')", organization)
    insert = "insert into audit_entries (organization_id, operation, request_id) values ($1, 'test', 'request')"
    await application.execute(insert, organization)
    assert await refused(application, "select * from audit_entries")
    assert await refused(application, insert.replace("$1", f"'{organization}'") + " returning id")
    await application.execute("reset role")
    assert await application.fetchval("select count(*) from audit_entries") == 1


PROOF = ("audit_entries", "audit_seals", "audit_heads", "audit_signing_keys", "audit_mark")
ADDED_TO = ("audit_seals", "audit_heads", "audit_signing_keys")


@pytest.mark.catalogue("S28")
@pytest.mark.parametrize("role", ["warmline_app", "warmline_sealer", "warmline_auditor"])
async def test_nobody_but_the_owner_can_change_the_proof(owner: asyncpg.Connection, role: str) -> None:
    """The application cannot even read it; the sealer adds links and moves its mark; the auditor reads."""
    await owner.execute(f"set role {role}")
    for table in PROOF:
        may_insert = (role == "warmline_sealer" and table in ADDED_TO) or (
            role == "warmline_app" and table == "audit_entries"
        )
        assert await refused(owner, f"select * from {table}") == (role == "warmline_app"), table
        assert await owner.fetchval("select has_table_privilege($1, 'insert')", table) == may_insert, table
        assert await refused(owner, f"delete from {table}")
        assert await refused(owner, f"truncate {table} cascade")
        columns = await owner.fetch(
            "select attname from pg_attribute where attrelid = $1::regclass and attnum > 0", table
        )
        changeable = [
            row["attname"]
            for row in columns
            if await owner.fetchval("select has_column_privilege($1, $2, 'update')", table, row["attname"])
        ]
        assert changeable == (["entry_id"] if (role, table) == ("warmline_sealer", "audit_mark") else []), table
    for table in ("people", "messages", "message_revisions", "organization_keys"):
        assert await refused(owner, f"select * from {table}") == (role != "warmline_app"), table


async def test_the_application_cannot_switch_the_triggers_off(application: asyncpg.Connection) -> None:
    assert await refused(application, "set session_replication_role = replica")
    assert await refused(application, "alter table memberships disable trigger patient_channel_has_staff")
    assert await refused(application, "create table mine (n int)")
