"""Floors: a patient who joins a group sees nothing from before, by no operation, and each time they come back anew."""

import json
from typing import Any

import pytest

from server import locks
from server.app.log import ChatLog, key
from server.chat.append import append
from server.chat.bodies import close
from server.errors import NotFound
from server.ids import ChannelId, MessageId
from tests.support.cast import Clinic

BEFORE = "words from before"


class Group:
    """A group channel with a past, and a patient who has just come in."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self.channel: ChannelId
        self.old: dict[str, Any]

    async def begin(self) -> "Group":
        clinic = self.clinic
        self.newcomer, self.other, self.leaver = [await clinic.patient() for _ in range(3)]
        self.channel = await clinic.channel("group", clinic.clinician, self.other, self.leaver)
        self.old = await clinic.send(clinic.clinician, self.channel, BEFORE)
        await clinic.send(self.leaver, self.channel, BEFORE)
        self.left = await clinic.membership(self.channel, self.leaver)
        await clinic.remove(self.channel, self.leaver)
        joined = await clinic.add(self.channel, self.newcomer)
        self.joined, self.member = joined["offset"], joined["member_id"]
        return self

    async def revise(self, message: str, text: str) -> int:
        """The clinician rewords a message; the offset of the event that says so."""
        clinic, organization_id = self.clinic, self.clinic.organization_id
        data_key = await clinic.database.keys.current(organization_id)
        sealed = close(data_key, organization_id, self.channel, message, clinic.clinician, text, 2)
        async with clinic.database.transaction() as tx:
            await locks.lock(tx, organization_id, channels=[self.channel])
            await tx.rows(
                "insert into message_revisions values ($1, $2, $3, 2, $4, $5, $6, now())",
                *(organization_id, self.channel, message, clinic.clinician, data_key.id, sealed),
            )
            [row] = await tx.rows("update messages set revision = 2 where id = $1 returning log_offset", message)
            event = await append(
                tx, organization_id, self.channel, "revised",
                message_id=MessageId(message), target_offset=row["log_offset"],
            )  # fmt: skip
        return event.offset

    async def history(self, person: str, **page: int) -> dict[str, Any]:
        return dict(await self.clinic.call(person, "message.history", channel_id=self.channel, **page))

    async def everything(self, person: str) -> str:
        """All that a person gets from every operation that tells of channels."""
        got = [await self.clinic.call(person, "channel.list")]
        got.append(await self.clinic.call(person, "channel.directory", channel_id=self.channel))
        got += [await self.history(person, limit=limit) for limit in (1, 2, 100)]
        got += [await self.history(person, before=before) for before in range(1, 12)]
        return json.dumps(got)


@pytest.fixture
async def group(clinic: Clinic) -> Group:
    return await Group(clinic).begin()


async def test_a_newcomer_gets_nothing_from_before(group: Group) -> None:
    everything = await group.everything(group.newcomer)
    assert BEFORE not in everything
    assert group.old["message_id"] not in everything
    assert group.left not in everything
    assert BEFORE in await group.everything(group.clinic.clinician)
    assert BEFORE in await group.everything(group.other)


async def test_history_ends_at_the_floor_wherever_it_begins(group: Group) -> None:
    await group.clinic.send(group.clinic.clinician, group.channel, "After")
    page = await group.history(group.newcomer)
    assert [item["offset"] for item in page["items"]] == [group.joined + 1, group.joined]
    assert page["more"] is False
    for before in range(1, group.joined + 1):
        assert (await group.history(group.newcomer, before=before))["items"] == []
    first = await group.history(group.newcomer, limit=1)
    assert (first["more"], [item["offset"] for item in first["items"]]) == (True, [group.joined + 1])


async def test_the_directory_knows_only_who_was_seen(group: Group) -> None:
    listed = await group.clinic.call(group.newcomer, "channel.directory", channel_id=group.channel)
    assert {member["id"] for member in listed["members"] if member["me"]} == {group.member}
    assert group.left not in {member["id"] for member in listed["members"]}
    await group.clinic.remove(group.channel, group.other)
    listed = await group.clinic.call(group.newcomer, "channel.directory", channel_id=group.channel)
    assert [member["name"] for member in listed["members"] if not member["active"]] == ["Group member"]
    for_staff = await group.clinic.call(group.clinic.clinician, "channel.directory", channel_id=group.channel)
    assert len(for_staff["members"]) == 4


async def test_nothing_from_before_is_unread(group: Group) -> None:
    async def mine() -> dict[str, Any]:
        [channel] = (await group.clinic.call(group.newcomer, "channel.list"))["channels"]
        return dict(channel)

    assert ((await mine())["unread"], (await mine())["last_at"]) == (0, None)
    sent = await group.clinic.send(group.clinic.clinician, group.channel, "After")
    assert ((await mine())["unread"], (await mine())["last_at"]) == (1, sent["at"])


async def test_an_edit_of_what_was_before_stays_before(group: Group) -> None:
    offset = await group.revise(group.old["message_id"], "reworded " + BEFORE)
    assert BEFORE not in await group.everything(group.newcomer)
    assert "reworded" in await group.everything(group.other)
    log = ChatLog(group.clinic.database)
    await log.lately()
    rows = await log.since([(key(group.clinic.organization_id, group.channel), offset - 1, 1)])
    assert rows[0][0].target == group.old["offset"]  # what the gateway holds against the floor
    assert group.old["offset"] < group.joined


async def test_one_cannot_reply_to_what_was_before(group: Group) -> None:
    with pytest.raises(NotFound, match="no such message to reply to"):
        await group.clinic.send(group.newcomer, group.channel, "Reply", reply_to=group.old["message_id"])
    reply = await group.clinic.send(group.other, group.channel, "Reply", reply_to=group.old["message_id"])
    [shown] = [item for item in (await group.history(group.newcomer))["items"] if item.get("id") == reply["message_id"]]
    assert set(shown["reply_to"]) == {"id", "offset"}


async def test_coming_back_begins_anew(group: Group) -> None:
    await group.clinic.send(group.newcomer, group.channel, "While I was here")
    await group.clinic.remove(group.channel, group.newcomer)
    with pytest.raises(NotFound):
        await group.history(group.newcomer)
    await group.clinic.send(group.other, group.channel, "While I was away")
    back = await group.clinic.add(group.channel, group.newcomer)
    everything = await group.everything(group.newcomer)
    assert "While I was" not in everything
    assert group.member not in everything
    assert [item["offset"] for item in (await group.history(group.newcomer))["items"]] == [back["offset"]]


async def test_team_members_see_everything_whenever_they_come(group: Group) -> None:
    colleague = await group.clinic.team_member()
    await group.clinic.add(group.channel, colleague)
    page = await group.history(colleague)
    assert [item["offset"] for item in page["items"]] == list(range(page["offset"], 0, -1))
    [mine] = (await group.clinic.call(colleague, "channel.list"))["channels"]
    assert mine["unread"] == 0


async def test_patients_learn_nothing_of_each_other_but_the_display_name(group: Group) -> None:
    """domain.md §1: no real name, email or person id of another patient, on any surface."""
    clinic = group.clinic
    await clinic.sql("update patients set display_name = 'Bluebird' where id = $1", group.other)
    await clinic.send(group.other, group.channel, "Text")
    everything = await group.everything(group.newcomer)
    assert "Bluebird" in everything
    rows = await clinic.sql("select p.id, p.email, a.legal_name from people p join patients a on a.id = p.id")
    secrets = {value for row in rows if row["id"] != group.newcomer for value in row.values()}
    assert [secret for secret in secrets if f'"{secret}"' in everything] == []
    assert clinic.clinician not in everything
    staff_sees = await group.everything(clinic.clinician)
    assert group.other in staff_sees
