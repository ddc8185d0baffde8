"""Bodies at rest: words stand nowhere in the clear, keys rotate between two sends, and a moved or changed record is refused."""

import asyncio

import asyncpg
import pytest

from server import crypto
from server.db import Database
from server.errors import Unavailable
from tests.support.cast import MASTER, Clinic, found

CANARY = "canary words that nobody may find"
R = "message_revisions"
UNREADABLE = "(unreadable)"


async def texts(clinic: Clinic, channel: str) -> list[str]:
    history = await clinic.call(clinic.clinician, "message.history", channel_id=channel)
    return [item.get("text", UNREADABLE) for item in reversed(history["items"]) if item["type"] == "message"]


async def test_words_stand_nowhere_in_the_clear(clinic: Clinic, owner: asyncpg.Connection) -> None:
    channel = await clinic.care_team(await clinic.patient())
    sent = await clinic.send(clinic.clinician, channel, CANARY)
    await asyncio.sleep(0)  # what is announced follows the answer
    everything = [str(clinic.published).encode(), b"".join(payload for _, payload in clinic.published)]
    for row in await owner.fetch(
        "select oid::regclass::text as name from pg_class where relkind = 'r' and relnamespace = 2200"
    ):
        everything += [
            str(line["t"]).encode() for line in await owner.fetch(f"select t::text as t from {row['name']} t")
        ]
    pile = b"\n".join(everything)
    assert sent["message_id"].encode() in pile
    for spelled in (CANARY.encode(), CANARY.encode().hex().encode(), CANARY.encode("utf-16-le"), b"canary"):
        assert spelled not in pile
    assert await texts(clinic, channel) == [CANARY]


async def test_keys_rotate_between_two_sends(
    clinic: Clinic, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = await clinic.care_team(await clinic.patient())
    await clinic.send(clinic.clinician, channel, "Before", "before")
    async with clinic.database.transaction() as tx:
        key_id, wrapped = MASTER.make(clinic.organization_id)
        await tx.rows(
            "update organization_keys set retired_at = now() where organization_id = $1", clinic.organization_id
        )
        await tx.rows("insert into organization_keys values ($1, $2, $3)", clinic.organization_id, key_id, wrapped)
    await clinic.send(clinic.clinician, channel, "Within the minute")
    monkeypatch.setattr(crypto, "_CURRENT_SECONDS", 0)
    await clinic.send(clinic.clinician, channel, "After")
    assert await texts(clinic, channel) == ["Before", "Within the minute", "After"]
    rows = await clinic.sql("select key_id from message_revisions where channel_id = $1 order by created_at", channel)
    assert [row["key_id"] == key_id for row in rows] == [False, False, True]
    assert (await clinic.send(clinic.clinician, channel, "Before", "before"))["offset"] == 2

    fresh = Database(database_url, MASTER, lambda topic, payload: None)  # as a process that has just started
    await fresh.start()
    assert await texts(Clinic(fresh, clinic.batcher, clinic.organization_id, clinic.clinician), channel) == [
        "Before", "Within the minute", "After",
    ]  # fmt: skip
    await fresh.stop()


DAMAGES = {
    "a changed byte": f"""update {R} set ciphertext = set_byte(ciphertext, 20, 255 - get_byte(ciphertext, 20))
                          where message_id = $1""",
    "another format": f"update {R} set ciphertext = set_byte(ciphertext, 0, 9) where message_id = $1",
    "cut short": f"update {R} set ciphertext = substr(ciphertext, 1, 5) where message_id = $1",
    "empty": f"update {R} set ciphertext = '' where message_id = $1",
    "of another message": f"update {R} set ciphertext = (select ciphertext from {R} where message_id = $2) where message_id = $1",
    "of another channel": f"update {R} set ciphertext = (select ciphertext from {R} where message_id = $3) where message_id = $1",
    "of another organisation": f"""update {R} set ciphertext = (select ciphertext from {R} where message_id = $4)
                                   where message_id = $1""",
    "said to be revised by somebody else": f"update {R} set author_person_id = $5 where message_id = $1",
    "said to be written by somebody else": "update messages set author_person_id = $5 where id = $1",
    "without its words": f"delete from {R} where message_id = $1",
    "said to be another revision": f"update {R} set revision = 2 where message_id = $1",
    "said to be under another key": f"update {R} set key_id = 'key_00000000000000000000' where message_id = $1",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
async def test_a_moved_or_changed_record_is_refused(
    clinic: Clinic, elsewhere: Clinic, owner: asyncpg.Connection, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    colleague = await clinic.team_member()
    channel = await clinic.care_team(await clinic.patient(), clinic.clinician, colleague)
    another = await clinic.care_team(await clinic.patient())
    foreign = await elsewhere.care_team(await elsewhere.patient())
    sends = [
        await clinic.send(clinic.clinician, channel, "Ours", "ours"),
        await clinic.send(clinic.clinician, channel, "Another"),
        await clinic.send(clinic.clinician, another, "In another channel"),
        await elsewhere.send(elsewhere.clinician, foreign, "Elsewhere"),
    ]
    numbers = [number for number in range(1, 6) if f"${number}" in damage]
    args = [*(sent["message_id"] for sent in sends), colleague]
    await owner.execute("set session_replication_role = replica")
    for place, number in enumerate(numbers, 1):
        damage = damage.replace(f"${number}", f"${place}")
    assert await owner.execute(damage, *(args[number - 1] for number in numbers)) in ("UPDATE 1", "DELETE 1")
    if "set revision" in damage:
        await owner.execute("update messages set revision = 2 where id = $1", sends[0]["message_id"])
    assert await texts(clinic, channel) == [UNREADABLE, "Another"]
    assert sends[0]["message_id"] in caplog.text
    assert await texts(clinic, another) == ["In another channel"]


async def test_a_message_that_was_moved_whole_into_another_channel_is_refused(
    clinic: Clinic, owner: asyncpg.Connection
) -> None:
    """Everything about it but the channel is as it was: id, author, revision, key."""
    channel, another = [await clinic.care_team(await clinic.patient()) for _ in range(2)]
    sent = await clinic.send(clinic.clinician, channel, "Ours")
    await owner.execute("set session_replication_role = replica")
    for table, id in (("messages", "id"), (R, "message_id"), ("events", "message_id")):
        await owner.execute(f"update {table} set channel_id = $2 where {id} = $1", sent["message_id"], another)
    await owner.execute("update channels set top_offset = 2 where id = $1", another)
    assert await texts(clinic, another) == [UNREADABLE]


async def test_a_retry_of_what_was_damaged_is_refused(clinic: Clinic, owner: asyncpg.Connection) -> None:
    channel = await clinic.care_team(await clinic.patient())
    sent = await clinic.send(clinic.clinician, channel, "Ours", "ours")
    await owner.execute(DAMAGES["a changed byte"], sent["message_id"])
    with pytest.raises(Unavailable, match="Tell your administrator"):
        await clinic.send(clinic.clinician, channel, "Ours", "ours")
    assert (await clinic.send(clinic.clinician, channel, "Next"))["offset"] == 3


async def test_two_organisations_never_share_a_key(clinic: Clinic) -> None:
    other = await found(clinic.database, clinic.batcher)
    one, two = [await clinic.database.keys.current(each.organization_id) for each in (clinic, other)]
    assert one.id != two.id
    with pytest.raises(Unavailable):
        await clinic.database.keys.get(other.organization_id, one.id)
