"""Two organisations in which every id is the same: whatever is done in one leaves no trace in the other, in any shared layer.

Ids are random and will never be equal; but where they could be, nothing but the organisation tells two things apart, and a
statement, a cache, a topic or a queue that forgets it is found out.
"""

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from server.app.log import ChatLog, key
from server.app.policy import ChatPolicy
from server.dispatching import Dispatcher
from server.errors import WarmlineError
from server.ids import OrganizationId
from server.operations import OPERATIONS, Operation
from server.people.tokens import KeyedVerifier
from tests.support.cast import MASTER, Clinic, found
from tests.support.issuer import Issuer
from tests.support.samples import sample
from tests.support.world import World, everything

COPIED = (
    "roles",
    "people",
    "patient_groups",
    "team_members",
    "patients",
    "channels",
    "memberships",
    "channel_profiles",
    "events",
    "groups",
    "guests",
    "group_members",
    "encounters",
)


async def twin_of(clinic: Clinic, owner: asyncpg.Connection) -> Clinic:
    """Another organisation with the same people, channels and memberships, under the same ids; only keys are its own."""
    organization_id = OrganizationId.new()
    await owner.execute("insert into organizations (id, name) values ($1, 'Twin')", organization_id)
    await owner.execute(
        "insert into organization_keys (organization_id, id, wrapped) values ($1, $2, $3)",
        *(organization_id, *MASTER.make(organization_id)),
    )
    for table in COPIED:
        columns = await owner.fetch(
            """select attname from pg_attribute where attrelid = $1::regclass and attnum > 0
                  and not attisdropped and attgenerated = '' and attname <> 'organization_id'""",
            table,
        )
        names = ", ".join(column["attname"] for column in columns)
        await owner.execute(
            f"insert into {table} (organization_id, {names}) select $1, {names} from {table} where organization_id = $2",
            *(organization_id, clinic.organization_id),
        )
    return Clinic(clinic.database, clinic.batcher, organization_id, clinic.clinician, clinic.published)


async def made(clinic: Clinic, owner: asyncpg.Connection, kind: str = "group") -> tuple[World, Clinic]:
    """A world around the clinician, in a channel of this kind, and its twin. Neither has a message yet."""
    own = await everything(clinic, kind, clinic.clinician)
    await owner.execute("delete from message_revisions")
    await owner.execute("delete from events where log_offset > 1")
    await owner.execute("delete from messages")
    await owner.execute("update channels set top_offset = 1")
    await asyncio.sleep(0)
    clinic.published.clear()
    return World(clinic, clinic.clinician, own), await twin_of(clinic, owner)


@pytest.fixture
async def twins(clinic: Clinic, owner: asyncpg.Connection) -> tuple[World, Clinic]:
    """Twins around a group."""
    return await made(clinic, owner)


async def state(owner: asyncpg.Connection, organization_id: str) -> dict[str, str]:
    """A digest of all that an organisation has."""
    tables = await owner.fetch(
        """select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id'
            where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace"""
    )
    digest = "select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from {} t where organization_id = $1"
    return {row["relname"]: await owner.fetchval(digest.format(row["relname"]), organization_id) for row in tables}


async def done_in_one(clinic: Clinic, owner: asyncpg.Connection, operation: Operation, kind: str) -> bool:
    """Do it in one of two fresh twins, as the clinician or else as the patient, and see that the other is as it was.

    Kind "archived" is a group, and the patient and the team member that are named are archived.
    """
    own_kind = "group" if kind == "archived" else kind
    world, twin = await made(await found(clinic.database, clinic.batcher, clinic.published), owner, own_kind)
    if kind == "archived":
        gone = [world.own["patient"], world.own["team_member"]]
        await owner.execute("update people set status = 'archived' where id = any ($1)", gone)
        await owner.execute("update group_members set status = 'left', left_at = clock_timestamp()")
    sent = await world.clinic.send(world.caller, world.own["channel"], "Root")
    before = await state(owner, twin.organization_id)
    params = sample(operation.params, world.own | {"message": sent["message_id"]})
    world.clinic.published.clear()
    for caller in (world.caller, world.own["patient"]):
        try:
            await world.clinic.call(caller, operation.name, **params)
        except WarmlineError:
            continue
        await asyncio.sleep(0)
        assert await state(owner, twin.organization_id) == before, operation.name
        assert twin.organization_id not in str(world.clinic.published), operation.name
        return True
    return False


async def test_whatever_is_done_in_one_is_not_done_in_the_other(clinic: Clinic, owner: asyncpg.Connection) -> None:
    nowhere = [
        operation.name
        for operation in OPERATIONS
        if not any([await done_in_one(clinic, owner, operation, kind) for kind in ("group", "direct", "archived")])
    ]
    assert nowhere == []


async def test_sends_to_both_in_one_batch_go_each_to_its_own(twins: tuple[World, Clinic]) -> None:
    world, twin = twins
    channel, person = world.own["channel"], world.caller
    batches = world.clinic.batcher.batches
    sends = [
        side.send(person, channel, f"In {side.organization_id}", "same id")
        for side in (world.clinic, twin)
        for _ in (0,)
    ]
    one, two = await asyncio.gather(*sends)
    assert world.clinic.batcher.batches - batches <= 2
    assert (one["offset"], two["offset"]) == (2, 2)
    assert one["message_id"] != two["message_id"]
    for side in (world.clinic, twin):
        page = await side.call(person, "message.history", channel_id=channel)
        assert [item.get("text") for item in page["items"]] == [f"In {side.organization_id}", None]


async def test_a_channel_held_in_one_is_free_in_the_other(
    twins: tuple[World, Clinic], owner: asyncpg.Connection
) -> None:
    world, twin = twins
    channel, person = world.own["channel"], world.caller
    async with owner.transaction():
        ours = "select from channels where (organization_id, id) = ($1, $2) for update"
        await owner.execute(ours, world.clinic.organization_id, channel)
        waiting = asyncio.create_task(world.clinic.send(person, channel, "Waits"))
        assert (await twin.send(person, channel, "Goes through"))["offset"] == 2
        assert not waiting.done()
    assert (await waiting)["offset"] == 2


async def test_who_leaves_the_one_stays_in_the_other_and_its_staff_count_is_its_own(
    twins: tuple[World, Clinic],
) -> None:
    world, twin = twins
    channel, leaver = world.own["channel"], world.own["team_member"]
    left = await world.clinic.call(world.caller, "member.remove", channel_id=channel, member_id=world.own["membership"])
    assert left["offset"] == 2
    rows = await twin.sql(
        "select organization_id, left_at is null as there from memberships where person_id = $1", leaver
    )
    assert {row["organization_id"]: row["there"] for row in rows} == {
        world.clinic.organization_id: False, twin.organization_id: True,
    }  # fmt: skip
    [mine] = await twin.sql("select distinct id from memberships where person_id = $1", world.caller)
    with pytest.raises(WarmlineError, match="Add a colleague first"):
        await world.clinic.call(world.caller, "member.remove", channel_id=channel, member_id=mine["id"])


async def test_the_gateways_ports_tell_them_apart(twins: tuple[World, Clinic], issuer: Issuer) -> None:
    world, twin = twins
    database, channel, person = world.clinic.database, world.own["channel"], world.caller
    verifier = KeyedVerifier.read(issuer.settings("postgresql://nowhere"))
    policy, log = ChatPolicy(database, Dispatcher(database, world.clinic.batcher), verifier), ChatLog(database)
    await log.lately()
    patient = world.own["patient"]
    for text in ("One", "Two"):
        await world.clinic.send(patient, channel, text)
    await twin.send(patient, channel, "Twin's")
    sides = {side.organization_id: side for side in (world.clinic, twin)}
    keys = {organization: key(organization, channel) for organization in sides}

    for organization, side in sides.items():
        identity = side.identity(person)
        [grant] = await policy.subscribe(identity, "connection", [(channel, "")])
        assert not isinstance(grant, WarmlineError)
        assert grant.key == keys[organization]
        assert (await policy.history(identity, "connection", channel, True)).key == grant.key
        assert (await policy.presence(identity, "connection", channel, True)).key == grant.key
        assert set(await policy.watched(identity)) == {keys[organization]}

    hints = await policy.hints([(key(organization, person), keys[organization]) for organization in sides])
    assert {hint.key: json.loads(hint.data)["unread"] for hint in hints} == dict(
        zip(keys.values(), (2, 1), strict=True)
    )

    found = await log.since([(one, 1, 10) for one in keys.values()])
    assert [[row.key for row in rows] for rows in found] == [
        [one] * count for one, count in zip(keys.values(), (2, 1), strict=True)
    ]
    await asyncio.sleep(0)
    for topic, payload in world.clinic.published:
        if topic.startswith("warmline:c:"):
            [mine] = [one for one in keys.values() if log.topic(one) == topic]
            assert log.decode(mine, payload).key == mine
            [other] = [one for one in keys.values() if one != mine]
            with pytest.raises(ValueError, match="another channel"):
                log.decode(other, payload)


async def test_a_list_shows_ones_own(twins: tuple[World, Clinic]) -> None:
    world, twin = twins
    lists: dict[str, Any] = {"patient.list": "patients", "team_member.list": "team_members", "channel.list": "channels"}
    await twin.sql(
        "update patients set legal_name = 'Twin ' || legal_name where organization_id = $1", twin.organization_id
    )
    for name, what in lists.items():
        ours, theirs = [(await side.call(world.caller, name))[what] for side in (world.clinic, twin)]
        assert len(ours) == len(theirs) > 0
        assert len({one["id"] for one in ours}) == len(ours)
        assert "Twin" not in str(ours)
