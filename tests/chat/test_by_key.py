"""What is looked up by its key, also where Postgres knows nothing of its tables yet: just filled, or restored."""

import itertools
import secrets

from server import events
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


async def test_a_page_of_history_is_cut_before_anything_is_joined_to_it(clinic: Clinic) -> None:
    channel = await clinic.channel("group", await clinic.team_member())
    async with clinic.database.reads.acquire() as connection:
        await connection.execute(
            "set plan_cache_mode = force_generic_plan"
        )  # a plan is kept: this one is of empty tables
        rows = await connection.fetch(
            f"explain {events._PAGE}", clinic.organization_id, channel, 1, 5000, ["all", "staff"], 51
        )
        await connection.execute("reset plan_cache_mode")
    steps = [str(row[0]) for row in rows]
    [limit] = [place for place, step in enumerate(steps) if "Limit" in step]
    depth = steps[limit].index("Limit")
    below = itertools.takewhile(lambda step: len(step) - len(step.lstrip()) > depth, steps[limit + 1 :])
    assert not [step for step in below if "Join" in step]
    assert limit > 0
