"""Editing and deleting: who may, what everybody sees of it, what is kept, and of two changes at once."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from server.app.policy import ChatPolicy
from server.dispatching import Dispatcher
from server.errors import Conflict, Forbidden, Invalid, NotFound, WarmlineError
from server.gateway.ports import Grant
from server.ids import MessageId
from server.people.tokens import KeyedVerifier
from tests.support.cast import Clinic
from tests.support.issuer import Issuer


async def edit(clinic: Clinic, by: str, channel: str, message: str, text: str, expected: int = 1, **more: Any) -> int:
    params = {"channel_id": channel, "message_id": message, "expected_revision": expected} | more
    done = await clinic.call(by, "message.edit", text=text, **params)
    assert done["deleted"] is False
    return int(done["revision"])


async def delete(clinic: Clinic, by: str, channel: str, message: str, expected: int = 1, **more: Any) -> int:
    params = {"channel_id": channel, "message_id": message, "expected_revision": expected} | more
    done = await clinic.call(by, "message.delete", **params)
    assert done["deleted"] is True
    return int(done["revision"])


async def seen(clinic: Clinic, person: str, channel: str, message: str) -> dict[str, Any]:
    page = await clinic.call(person, "message.history", channel_id=channel)
    [item] = [item for item in page["items"] if item.get("id") == message]
    return dict(item)


class Room:
    """A group with a patient, a clinician who manages messaging and a doctor who does not; a message by the patient."""

    async def begin(self, clinic: Clinic) -> "Room":
        self.clinic, self.manager = clinic, clinic.clinician
        self.patient, self.other, self.doctor = (
            await clinic.patient(),
            await clinic.patient(),
            await clinic.team_member(),
        )
        self.channel = await clinic.channel("group", self.manager, self.doctor, self.patient, self.other)
        self.message = (await clinic.send(self.patient, self.channel, "First words"))["message_id"]
        return self


@pytest.fixture
async def room(clinic: Clinic) -> Room:
    return await Room().begin(clinic)


async def test_authors_edit_their_own_and_everybody_sees_that_it_was_edited(room: Room) -> None:
    assert await edit(room.clinic, room.patient, room.channel, room.message, " Second words ") == 2
    for person in (room.patient, room.other, room.doctor):
        item = await seen(room.clinic, person, room.channel, room.message)
        assert (item["text"], item["revision"], item["edited"], item["changed_by"]) == (
            "Second words",
            2,
            True,
            "author",
        )
        assert "person" not in item
    assert await room.clinic.offsets(room.channel) == [1, 2, 3]


async def test_a_deleted_message_leaves_a_tombstone_that_says_who(room: Room) -> None:
    mine = await room.clinic.send(room.patient, room.channel, "Mine")
    assert await delete(room.clinic, room.patient, room.channel, mine["message_id"]) == 2
    assert await delete(room.clinic, room.manager, room.channel, room.message, reason="Private details") == 2
    for person in (room.patient, room.manager):
        own, others = [await seen(room.clinic, person, room.channel, one) for one in (mine["message_id"], room.message)]
        assert (own["deleted"], own["changed_by"], others["changed_by"]) == (True, "author", "team_member")
        assert "text" not in own | others
        assert others.get("person") == (room.manager if person == room.manager else None)
    with pytest.raises(Conflict, match="deleted"):
        await edit(room.clinic, room.patient, room.channel, room.message, "Back", 2)


async def test_managers_change_others_words_with_a_reason_that_staff_alone_see(room: Room) -> None:
    clinic = room.clinic
    with pytest.raises(Invalid, match="reason"):
        await edit(clinic, room.manager, room.channel, room.message, "Gentler")
    for wrong in ("", "   ", "x" * 501, "a\0b"):
        with pytest.raises(Invalid, match="reason: it"):
            await edit(clinic, room.manager, room.channel, room.message, "Gentler", reason=wrong)
    await edit(clinic, room.manager, room.channel, room.message, "Gentler", reason="It was rude")
    for person in (room.patient, room.other):
        page = json.dumps(await clinic.call(person, "message.history", channel_id=room.channel))
        assert '"changed_by": "team_member"' in page
        assert "rude" not in page
        assert room.manager not in page
    assert (await seen(clinic, room.doctor, room.channel, room.message))["person"] == room.manager
    found = await clinic.call(room.doctor, "message.revisions", channel_id=room.channel, message_id=room.message)
    assert [(one["revision"], one["person_id"], one["text"], one["reason"]) for one in found["revisions"]] == [
        (1, room.patient, "First words", None),
        (2, room.manager, "Gentler", "It was rude"),
    ]
    await delete(clinic, room.patient, room.channel, room.message, 2)
    found = await clinic.call(room.doctor, "message.revisions", channel_id=room.channel, message_id=room.message)
    assert [(one["text"], one["deletes"]) for one in found["revisions"]][2] == (None, True)
    await asyncio.sleep(0)
    rows = await clinic.sql("select * from message_revisions where message_id = $1", room.message)
    assert "rude" not in str(rows) + str(clinic.published)
    assert b"rude" not in b"".join(row["reason"] or b"" for row in rows)


async def test_nobody_else_changes_a_message(room: Room, elsewhere: Clinic) -> None:
    clinic = room.clinic
    outsider = await clinic.team_member("ADMIN")
    refused: list[tuple[str, type[WarmlineError]]] = [
        (room.other, Forbidden), (room.doctor, Forbidden), (outsider, NotFound),
    ]  # fmt: skip
    for person, error in refused:
        for change in (edit(clinic, person, room.channel, room.message, "X", reason="Y"),
                       delete(clinic, person, room.channel, room.message, reason="Y")):  # fmt: skip
            with pytest.raises(error):
                await change
    with pytest.raises(NotFound):
        await delete(elsewhere, elsewhere.clinician, room.channel, room.message, reason="Y")
    with pytest.raises(NotFound, match="no such message"):
        await edit(clinic, room.manager, room.channel, MessageId.new(), "X", reason="Y")
    with pytest.raises(Forbidden, match="team members"):
        await clinic.call(room.patient, "message.revisions", channel_id=room.channel, message_id=room.message)
    with pytest.raises(NotFound):
        await clinic.call(outsider, "message.revisions", channel_id=room.channel, message_id=room.message)
    await clinic.archive(room.patient)
    with pytest.raises(Forbidden, match="change nothing"):
        await edit(clinic, room.patient, room.channel, room.message, "X")
    assert (await seen(clinic, room.manager, room.channel, room.message))["revision"] == 1


async def test_what_is_read_only_is_not_changed_either(room: Room) -> None:
    clinic = room.clinic
    await clinic.archive(room.channel)
    for change in (edit(clinic, room.patient, room.channel, room.message, "X"),
                   delete(clinic, room.manager, room.channel, room.message, reason="Y")):  # fmt: skip
        with pytest.raises(Conflict, match="read-only"):
            await change
    one, two = await clinic.team_member(), await clinic.team_member()
    direct = await clinic.channel("direct", one, two)
    sent = await clinic.send(one, direct, "Words")
    await edit(clinic, one, direct, sent["message_id"], "Other words")
    await clinic.archive(two)
    with pytest.raises(Conflict, match="Nobody else"):
        await edit(clinic, one, direct, sent["message_id"], "More words", 2)


async def test_a_change_names_the_revision_it_saw_and_a_retry_is_no_change(room: Room) -> None:
    clinic = room.clinic
    assert await edit(clinic, room.patient, room.channel, room.message, "Two") == 2
    assert await edit(clinic, room.patient, room.channel, room.message, "Two") == 2  # the reply was lost
    for expected in (1, 3, 7):
        with pytest.raises(Conflict, match="at revision 2"):
            await edit(clinic, room.patient, room.channel, room.message, "Three", expected)
    with pytest.raises(Conflict):
        await delete(clinic, room.patient, room.channel, room.message)
    with pytest.raises(Conflict):  # the same words, but somebody else's
        await edit(clinic, room.manager, room.channel, room.message, "Two", reason="Why")
    assert await delete(clinic, room.patient, room.channel, room.message, 2) == 3
    assert await delete(clinic, room.patient, room.channel, room.message, 2) == 3
    with pytest.raises(Conflict):
        await edit(clinic, room.patient, room.channel, room.message, "Two", 2)
    assert await clinic.offsets(room.channel) == [1, 2, 3, 4]


async def test_below_the_floor_there_is_nothing_to_change(room: Room) -> None:
    clinic = room.clinic
    await clinic.remove(room.channel, room.patient)
    await clinic.add(room.channel, room.patient)
    with pytest.raises(NotFound, match="no such message"):
        await edit(clinic, room.patient, room.channel, room.message, "X")


async def test_what_is_deleted_is_not_unread(room: Room) -> None:
    clinic = room.clinic

    async def unread(person: str) -> int:
        [one] = (await clinic.call(person, "channel.list"))["channels"]
        return int(one["unread"])

    await clinic.send(room.patient, room.channel, "Second")
    before = await unread(room.doctor)
    await edit(clinic, room.patient, room.channel, room.message, "Edited")
    assert await unread(room.doctor) == before == 2
    await delete(clinic, room.patient, room.channel, room.message, 2)
    assert await unread(room.doctor) == 1


async def test_of_two_changes_at_once_one_wins_whole(room: Room) -> None:
    clinic = room.clinic
    for turn in range(6):
        message = (await clinic.send(room.patient, room.channel, "Words"))["message_id"]
        changes = [edit(clinic, room.patient, room.channel, message, f"Words {number}") for number in range(3)]
        if turn % 2:
            changes.append(delete(clinic, room.manager, room.channel, message, reason="Why"))
        told = await asyncio.gather(*changes, return_exceptions=True)
        assert sorted(type(one).__name__ for one in told) == ["Conflict"] * (len(changes) - 1) + ["int"]
        item = await seen(clinic, room.doctor, room.channel, message)
        winner = next(number for number, one in enumerate(told) if one == 2)
        assert item.get("text") == (f"Words {winner}" if winner < 3 else None)
    assert await clinic.offsets(room.channel) == list(range(1, await clinic.top(room.channel) + 1))


async def test_nothing_is_written_after_the_channel_was_archived(room: Room) -> None:
    clinic = room.clinic
    for _ in range(4):
        sends = [clinic.send(room.patient, room.channel, f"Words {number}") for number in range(5)]
        changes = [edit(clinic, room.patient, room.channel, room.message, "Changed", 1)]
        archiving = clinic.call(room.doctor, "channel.archive", channel_id=room.channel)
        told = await asyncio.gather(*sends, archiving, *changes, return_exceptions=True)
        assert [one for one in told if isinstance(one, BaseException) and not isinstance(one, Conflict)] == []
        last = await clinic.sql(
            "select kind from events where channel_id = $1 order by log_offset desc limit 1", room.channel
        )
        assert last[0]["kind"] == "archived"
        await clinic.call(room.doctor, "channel.unarchive", channel_id=room.channel)


@pytest.mark.catalogue("S10")
async def test_who_recovers_while_being_removed_gets_nothing_from_there_on(room: Room, issuer: Issuer) -> None:
    """Leave to listen and the newest offset come from one snapshot: whoever is granted has not been removed up to there."""
    clinic = room.clinic
    verifier = KeyedVerifier.read(issuer.settings("postgresql://nowhere"))
    policy = ChatPolicy(clinic.database, Dispatcher(clinic.database, clinic.batcher), verifier)
    granted = 0
    for turn in range(12):
        person = await clinic.patient()
        member = (await clinic.add(room.channel, person))["member_id"]

        async def recover(person: str = person, turn: int = turn) -> Any:
            await asyncio.sleep(turn * 0.001)
            return (await policy.subscribe(clinic.identity(person), "connection", [(room.channel, "")]))[0]

        grant, removed, _ = await asyncio.gather(
            recover(),
            clinic.call(room.manager, "member.remove", channel_id=room.channel, member_id=member),
            clinic.send(room.doctor, room.channel, "Words"),
        )
        if isinstance(grant, Grant):
            granted += 1
            assert grant.top < removed["offset"]
        else:
            assert isinstance(grant, NotFound)
        assert isinstance(
            (await policy.subscribe(clinic.identity(person), "connection", [(room.channel, "")]))[0], NotFound
        )
    assert granted > 0


@pytest.mark.catalogue("S31")
async def test_a_reason_does_not_open_as_words_nor_words_as_a_reason(room: Room, owner: asyncpg.Connection) -> None:
    await edit(room.clinic, room.manager, room.channel, room.message, "Gentler", reason="It was rude")
    await owner.execute(
        "update message_revisions set ciphertext = reason, reason = ciphertext where message_id = $1 and revision = 2",
        room.message,
    )
    found = await room.clinic.call(room.manager, "message.revisions", channel_id=room.channel, message_id=room.message)
    assert [(one["text"], one["reason"]) for one in found["revisions"]] == [("First words", None), (None, None)]
    assert (await seen(room.clinic, room.patient, room.channel, room.message))["unreadable"] is True
