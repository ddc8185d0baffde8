"""A send looks up what it needs by its key, also where Postgres knows nothing of its tables yet: just filled, or restored."""

import secrets

from server.chat import batcher
from server.ids import MessageId
from tests.support.cast import Clinic

SENDS = 10


async def test_a_send_into_a_large_channel_reads_one_membership(clinic: Clinic) -> None:
    staff = [await clinic.team_member() for _ in range(40)]
    channel = await clinic.channel("group", *staff)
    key = await clinic.database.keys.current(clinic.organization_id)
    async with clinic.database.writes.acquire() as connection, connection.transaction():
        rows = await connection.fetch(
            batcher._CALL,
            *(
                [clinic.organization_id] * SENDS,
                [channel] * SENDS,
                staff[:SENDS],
                [MessageId.new() for _ in range(SENDS)],
            ),
            *([f"send-{number}" for number in range(SENDS)], [None] * SENDS, [key.id] * SENDS),
            [secrets.token_bytes(60) for _ in range(SENDS)],
        )
        read = await connection.fetchval(
            "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relname = 'memberships'"
        )
    assert [row["outcome"] for row in rows] == ["ok"] * SENDS
    assert read <= 2 * SENDS  # to judge it, and for the reference to its author's membership, if that is checked by now
